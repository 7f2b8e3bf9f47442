"""Where the small models come from: data, captions, training. Not part of the installed package."""
