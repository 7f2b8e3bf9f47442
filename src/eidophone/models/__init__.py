"""Pretrained parts: where they come from, how they are loaded, and adapters over diffusers."""
