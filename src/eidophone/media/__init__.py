"""Sound, pictures and video: files to values and back, and the spectrogram between them."""
