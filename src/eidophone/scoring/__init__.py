"""What is measured of a result, and how results are ranked by it."""
