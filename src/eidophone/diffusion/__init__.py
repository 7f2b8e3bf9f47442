"""Denoisers made of denoisers, and the one walk that takes a latent down the noise ladder."""
