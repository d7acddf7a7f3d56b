"""Networks: f from (theta, w, x), integrated so that gradients are those of the first variation."""
