"""Eidophone: pictures that play, and pictures of sounds."""

__version__ = "0.1.0"
