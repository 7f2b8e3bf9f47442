"""Samplers, guidance, and denoisers built from denoisers."""
