"""What is measured against what. Not a test: nothing here passes or fails."""
