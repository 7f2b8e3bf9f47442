"""Pictures that play: two models denoise one latent."""
