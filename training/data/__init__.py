"""What the networks learn from: downloads, packs, canvases, sounds and captions."""
