"""The neuron averaged over the directions of its weight."""
