"""A trained network from elsewhere: a measure and a problem, and what is to be said of it."""

from ._diagnosis import Diagnosis as Diagnosis, diagnose as diagnose
