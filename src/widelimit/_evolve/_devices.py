"""One run on several devices, of one process or of many: each holds its share of the particles."""

from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec
from jaxtyping import Array

from widelimit.dynamics import AbstractDynamics
from widelimit.numerics import TABLES, entries
from widelimit.problem import Problem

AXIS = "particles"

Devices = int | Sequence[jax.Device] | Mesh
"""How many devices, which, or a mesh of them with an axis "particles"."""


class Shares:
    """Where the arrays of a run are: an axis of the particles' number is shared out, all else is on every device.

    Without a mesh they stay where they are. The compiled programs stay what they are: the compiler writes the exchange
    of the Q numbers that f has on the nodes, one all-reduce for each piece that the data are cut into: as many pieces
    as one device's own particles need.
    """

    def __init__(self, mesh: Mesh | None = None, particles: int = 0) -> None:
        self.mesh, self.particles = mesh, particles
        processes = set() if mesh is None else {device.process_index for device in mesh.devices.flat}
        self.several = len(processes) > 1
        self.first = not self.several or jax.process_index() == min(processes)

    @classmethod
    def of(cls, devices: Any, problem: Problem, dynamics: AbstractDynamics, weights: Array | None) -> "Shares":
        """Raises `ValueError` for what are no devices, and for a run whose particles cannot be shared out among them.

        `weights`: those of the particles, where they never change.
        """
        mesh, name = _mesh(devices), type(dynamics).__name__
        if weights is None:
            raise ValueError(f"evolve(devices=...): {name} has no fixed particles to share out; leave devices out.")
        if problem.levels is not None:
            raise ValueError(
                "evolve(devices=...): the levels of this network come one after another, so that a share of its rows "
                "would wait for the others; leave devices out."
            )
        count, shares = len(weights), mesh.shape[AXIS]
        if count % shares:
            near = [n for n in (count // shares * shares, (count // shares + 1) * shares) if n]
            raise ValueError(
                f"evolve(devices=...): {count} particles cannot be shared out equally among {shares} devices; take "
                f"{' or '.join(map(str, near))} particles, or a number of devices that divides {count}."
            )
        return cls(mesh, count)

    def widened(self, problem: Problem) -> Problem:
        """The problem with tables as large as one device holds for its own particles: fewer pieces, fewer exchanges."""
        if self.mesh is None or self.mesh.shape[AXIS] == 1:
            return problem
        count = self.mesh.shape[AXIS]
        if problem.budget is not None:
            return problem.with_budget(count * problem.budget)
        # The tables may be as large as the particles, as in `Supervised.piece`.
        return problem.with_budget(TABLES * max(count * entries(None), self.particles * problem.dim))

    def placed(self, tree: Any) -> Any:
        """The arrays of a state where they belong."""
        if self.mesh is None:
            return tree
        mesh = self.mesh
        return jax.tree.map(lambda leaf: self._put(leaf, mesh) if eqx.is_array(leaf) else leaf, tree)

    def gathered(self, tree: Any) -> Any:
        """The arrays whole on each device, so that every process can read them."""
        if self.mesh is None:
            return tree
        whole = NamedSharding(self.mesh, PartitionSpec())
        return jax.tree.map(lambda leaf: jax.device_put(leaf, whole) if eqx.is_array(leaf) else leaf, tree)

    def agreed(self, *numbers: float) -> list[float]:
        """The first process's numbers: what a clock says, all must take from one."""
        if not self.several:
            return list(numbers)
        return np.asarray(multihost_utils.broadcast_one_to_all(np.asarray(numbers, float))).tolist()

    def _put(self, leaf: Array, mesh: Mesh) -> Array:
        sharding = NamedSharding(mesh, self._spec(leaf))
        if leaf.sharding == sharding:
            return leaf
        if not self.several or isinstance(leaf.sharding, NamedSharding):
            return jax.device_put(leaf, sharding)
        # Each process has made the whole array; each of its devices takes its part.
        if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
            data = self._put(jax.random.key_data(leaf), mesh)
            return jax.random.wrap_key_data(data, impl=jax.random.key_impl(leaf))
        host = np.asarray(leaf)
        return jax.make_array_from_callback(leaf.shape, sharding, lambda index: host[index])

    def _spec(self, leaf: Array) -> PartitionSpec:
        if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key) or self.particles not in leaf.shape:
            return PartitionSpec()
        return PartitionSpec(*[None] * leaf.shape.index(self.particles), AXIS)


def _mesh(devices: Any) -> Mesh:
    if isinstance(devices, Mesh):
        if AXIS not in devices.shape:
            raise ValueError(
                f"evolve(devices=...): the mesh has the axes {', '.join(map(str, devices.axis_names)) or 'none'}; it "
                f"needs one called {AXIS!r}."
            )
        if any(kind is not AxisType.Auto for kind in devices.axis_types):
            raise ValueError("evolve(devices=...): the mesh's axes must be of the type jax.sharding.AxisType.Auto.")
        return devices
    if isinstance(devices, int) and not isinstance(devices, bool):
        there = jax.devices()
        if not 1 <= devices <= len(there):
            raise ValueError(f"evolve(devices=...): expected 1 to {len(there)}, the devices there are, got {devices}.")
        devices = there[:devices]
    if not isinstance(devices, list | tuple) or not devices or not all(isinstance(d, jax.Device) for d in devices):
        raise ValueError(
            "evolve(devices=...): expected a number of devices, a list of some of jax.devices(), or a "
            f"jax.sharding.Mesh, got {devices!r}."
        )
    return Mesh(np.array(devices), (AXIS,), axis_types=(AxisType.Auto,))
