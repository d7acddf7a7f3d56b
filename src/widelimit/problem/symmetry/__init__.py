"""Problems in fewer parameters: what a symmetry divides out, and the way back."""
