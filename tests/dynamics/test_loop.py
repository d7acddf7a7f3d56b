"""The compiled loop: how it is cut changes nothing."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, strategies as st

import widelimit as wl
from widelimit.dynamics import AbstractDynamics, Facts, advance, clocks

KEY = jax.random.key(2)
# A problem is needed, but nothing is asked of it.
PROBLEM = wl.Problem(wl.units.Neuron(wl.activations.tanh), wl.data.Samples(np.ones((2, 1)), np.ones(2)))


class State(NamedTuple):
    y: Any
    k: Any


class Walk(AbstractDynamics[State]):
    """y moves by the noise of step k, which has `size` numbers."""

    size: int
    pull: float

    def facts(self, problem: Any) -> Facts:
        return Facts()

    def init(self, problem: Any, measure: Any, *, t1: float, key: Any) -> State:
        return State(jnp.asarray(0.5), jnp.asarray(0))

    def step(self, problem: Any, state: State, noise: Any) -> State:
        kick = 1.0 if noise is None else noise[0]
        return State(self.pull * state.y + kick, state.k + 1)

    def measure(self, problem: Any, state: State, reading: Any) -> wl.Particles:
        return wl.Particles(state.y[None, None])

    @property
    def clock(self) -> clocks.Steps:
        return clocks.Steps(jnp.asarray(1.0))

    def noise(self, problem: Any, state: State, k: Any) -> Any:
        return jax.random.normal(jax.random.fold_in(KEY, k), (self.size,)) if self.size else None


def _start() -> State:
    return State(jnp.asarray(0.5), jnp.asarray(0))


def _by_hand(walk: Walk, steps: int) -> float:
    y = 0.5
    for k in range(steps):
        y = walk.pull * y + (
            float(jax.random.normal(jax.random.fold_in(KEY, k), (walk.size,))[0]) if walk.size else 1.0
        )
    return y


# 2^15 // 2000 = 16 steps a block of noise; 2^15 // 40000 = 0, which is raised to 1; at most 256.
@pytest.mark.parametrize("size", [0, 3, 2000, 40000])
def test_steps_and_noise_are_those_of_a_plain_loop(size: int) -> None:
    walk = Walk(size, 0.9)
    state, done, finite = advance(walk, PROBLEM, _start(), jnp.asarray(37), jnp.asarray(1000))
    assert (int(state.k), int(done), bool(finite)) == (37, 37, True)
    assert float(state.y) == pytest.approx(_by_hand(walk, 37), rel=1e-12)


@given(st.sampled_from([0, 3, 2000]), st.lists(st.integers(1, 40), min_size=1, max_size=8))
def test_the_cut_changes_no_bit(size: int, chunks: list[int]) -> None:
    walk = Walk(size, 0.9)
    total = sum(chunks)
    whole = advance(walk, PROBLEM, _start(), jnp.asarray(total), jnp.asarray(10**6))[0]
    by_count = by_stop = _start()
    for i, chunk in enumerate(chunks):
        by_count, done, _ = advance(walk, PROBLEM, by_count, jnp.asarray(total), jnp.asarray(chunk))
        assert int(done) == chunk
        by_stop, _, _ = advance(walk, PROBLEM, by_stop, jnp.asarray(sum(chunks[: i + 1])), jnp.asarray(10**6))
    for cut in (by_count, by_stop):
        np.testing.assert_array_equal(cut.y, whole.y)
        assert int(cut.k) == total


def test_nothing_is_done_at_the_stop() -> None:
    state, done, _ = advance(Walk(3, 0.9), PROBLEM, _start(), jnp.asarray(0), jnp.asarray(5))
    assert (int(done), float(state.y)) == (0, 0.5)


def test_says_when_something_is_not_finite() -> None:
    walk = Walk(0, 1e200)
    assert bool(advance(walk, PROBLEM, _start(), jnp.asarray(1), jnp.asarray(10))[2])
    assert not bool(advance(walk, PROBLEM, _start(), jnp.asarray(5), jnp.asarray(10))[2])
