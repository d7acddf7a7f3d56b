"""From checked sections to the library's objects, and what is computed with them."""

from ._build import Built as Built, build as build, dynamics_of as dynamics_of, start_of as start_of
from ._cost import check_cost as check_cost, in_bytes as in_bytes
from ._estimate import Cost as Cost, Item as Item, cost_of as cost_of, items_of as items_of
from ._limit import take_limit as take_limit
from ._networks import networks_of as networks_of, together as together, train_together as train_together
from ._part import Work as Work
