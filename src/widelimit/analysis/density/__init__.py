"""Densities at a temperature."""
