"""Kinds of embedders: a module for each, which defines `EMBEDDER`. See `models.kinds`."""
