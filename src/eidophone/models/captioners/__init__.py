"""Sound into words, with a confidence for each word and its place in time."""
