"""Networks: f from (theta, w, x), integrated so that gradients are those of the first variation."""

from ._integrate import integrate as integrate
from ._network import AbstractNetwork as AbstractNetwork
from ._two_layer import TwoLayer as TwoLayer
