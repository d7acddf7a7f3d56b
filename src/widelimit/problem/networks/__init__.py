"""Networks: f from (theta, w, x), integrated so that gradients are those of the first variation."""

from ._expansion import Expansion as Expansion, Radius as Radius
from ._integrate import integrate as integrate
from ._levels import Levels as Levels
from ._network import (
    AbstractDual as AbstractDual,
    AbstractNetwork as AbstractNetwork,
    registry as registry,
)
from ._two_layer import TwoLayer as TwoLayer
from ._wide_resnet import WideResNet as WideResNet
