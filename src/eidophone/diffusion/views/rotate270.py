"""A quarter turn to the right, for square canvases (Visual Anagrams, section 4)."""

from eidophone.diffusion.views import View
from eidophone.diffusion.views.rotate90 import turned_left, turned_right

VIEW = View("rotate270", turned_right, turned_left, collage=False, square=True)
