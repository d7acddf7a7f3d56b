r"""Piecewise-linear neurons of one input across their kinks: they stick to the lines of samples and slide (Filippov).

In the plane of $w = (a, b)$, with $X_j = (x_j, 1)$, a neuron $c\,\sigma(w \cdot X)$ with kinks $t_k$ has a kink of psi
on each line $w \cdot X_j = t_k$. The lines of one kink meet at its apex $(0, t_k)$ alone; lines of different kinks
cross at vertices. With $\rho_j = \mu_j\,\ell'(f_j, y_j)$ and c frozen for a step the velocity is $-c\,M G$,
$G = \sum_j \sigma'(w \cdot X_j)\,\rho_j X_j$, constant between the lines, so the motion is piecewise straight: where
lines are met, the velocities around say whether a neuron crosses, slides along one of them or is held. First order,
without chattering.
"""

from ._corner import Fate as Fate, fate as fate, sides as sides
from ._move import Motion as Motion, move as move
from ._neurons import (
    APEX as APEX,
    NONE as NONE,
    KinkedNeurons as KinkedNeurons,
    Labels as Labels,
    kinked_neurons as kinked_neurons,
)
from ._world import Side as Side, World as World, world_of as world_of
