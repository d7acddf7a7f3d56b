"""A trained network, in whatever form it comes, as this library's problem and measure."""
