"""Measures of few atoms near a fixed point."""
