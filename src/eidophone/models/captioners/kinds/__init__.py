"""Kinds of captioners: a module for each, which defines `CAPTIONER`. See `models.kinds`."""
