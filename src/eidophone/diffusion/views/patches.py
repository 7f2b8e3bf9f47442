"""64 patches in another order (Visual Anagrams, section 4: patch permutation)."""

from eidophone.diffusion.views.jigsaw import jigsaw

VIEW = jigsaw(seed=0, rows=8, columns=8, name="patches")
