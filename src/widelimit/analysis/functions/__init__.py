"""What a measure and a run are as functions: representations, and the flow in function space."""
