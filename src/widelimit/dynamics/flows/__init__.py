"""Flows of particles."""
