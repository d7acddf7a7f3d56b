"""Minimising movements: steps in the Wasserstein metric."""
