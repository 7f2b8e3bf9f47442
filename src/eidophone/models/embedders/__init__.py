"""Joint spaces of picture, sound and text, for ranking and for optimisation, behind one contract."""
