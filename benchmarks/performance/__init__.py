"""What everything costs, in one table of Markdown; see `__main__`."""
