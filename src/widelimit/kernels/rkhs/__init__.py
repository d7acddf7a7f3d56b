"""The space of functions that a kernel reproduces: interpolation in it, and its norms."""

from ._interpolate import Interpolant as Interpolant, interpolate as interpolate
