"""The problems and runs that figures and claims share."""
