"""Results on disk: their folders, recipes and records, and reading them back."""
