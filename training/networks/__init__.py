"""The networks of the embedded family: how each is built, trained, measured and exported."""
