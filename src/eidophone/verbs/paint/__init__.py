"""The verb paint: a picture of a recorded sound."""
