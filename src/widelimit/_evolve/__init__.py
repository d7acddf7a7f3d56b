"""The one verb, and the host's side of a run."""

from ._verb import default_times as default_times, evolve as evolve
