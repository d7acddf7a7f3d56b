"""Linear theories as dynamics."""
