"""Values, recipes, errors, events, catalogs. Imports no torch."""
