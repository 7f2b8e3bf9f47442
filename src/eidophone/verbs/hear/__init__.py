"""A picture, played."""
