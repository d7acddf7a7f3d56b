"""The expansion of a wide network around its limit: values with their derivatives along perturbations of the start."""
