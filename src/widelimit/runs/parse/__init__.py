"""A problem file, from text to checked sections."""
