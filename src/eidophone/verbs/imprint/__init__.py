"""A picture, pressed into a spectrogram."""
