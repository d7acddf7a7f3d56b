"""How a quantity scales with a parameter."""
