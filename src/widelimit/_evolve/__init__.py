"""The one verb, and the host's side of a run."""

from ._checks import default_times as default_times
from ._many import evolve_many as evolve_many
from ._rollout import rollout as rollout
from ._verb import evolve as evolve
