"""A two-choice test for people: one HTML file that asks, and the analysis of the answers."""
