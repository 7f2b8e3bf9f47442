"""Training of the embedded family (docs/training.md). Not part of the installed package."""
