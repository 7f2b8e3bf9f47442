"""A sound, drawn as a spectrogram picture."""
