"""From checked sections to the library's objects, and what is computed with them."""

from ._build import Built as Built, build as build, dynamics_of as dynamics_of, start_of as start_of
from ._cost import check_cost as check_cost
from ._limit import take_limit as take_limit
from ._networks import networks_of as networks_of
