"""The verb colorize: colours for a picture that plays."""
