"""What a run did and where it may rest: stationarity, dissipation, stationary points."""
