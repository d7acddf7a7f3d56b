"""The transport and diffusion equations on a grid."""
