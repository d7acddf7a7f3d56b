"""The minimum over measures, and how far a measure is from it."""
