"""Bands in another order: eight horizontal strips, each an octave or less of the sound, are exchanged."""

from eidophone.diffusion.views.jigsaw import jigsaw

VIEW = jigsaw(seed=0, rows=8, columns=1, name="bands")
