"""A trained network from elsewhere: a measure and a problem, and what is to be said of it."""

from ._diagnosis import Diagnosis as Diagnosis, diagnose as diagnose
from .reading._arrays import activation_of as activation_of, array_of as array_of, named_arrays as named_arrays
