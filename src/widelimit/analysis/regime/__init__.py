"""Kernel or adaptive: how far training left the linear regime, and where neurons of one input stick."""
