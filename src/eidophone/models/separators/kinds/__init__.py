"""Kinds of separators: a module for each, which defines `SEPARATOR`. See `models.kinds`."""
