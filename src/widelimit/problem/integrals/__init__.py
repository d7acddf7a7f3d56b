"""How risk, psi and grad psi are computed."""
