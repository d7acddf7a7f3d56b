"""Free-knot splines: stationary atoms and laws."""
