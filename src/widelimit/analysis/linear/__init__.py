"""Linear theories: spectra, and how far a run is from them."""
