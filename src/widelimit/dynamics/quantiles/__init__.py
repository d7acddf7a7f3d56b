"""The transport equation of one parameter, for the inverse distribution function."""
