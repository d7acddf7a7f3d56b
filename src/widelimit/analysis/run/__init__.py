"""What a run did: stationarity, dissipation."""
