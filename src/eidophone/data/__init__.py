"""Labelled and captioned recordings on disk, and mixtures made of them."""
