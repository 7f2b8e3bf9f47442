"""Denoisers made of denoisers, and the one sampling_steps that takes a latent down the noise ladder."""
