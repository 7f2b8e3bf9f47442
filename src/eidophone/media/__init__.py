"""Files of sound, pictures and video to values and back, and the spectrogram between sound and picture."""
