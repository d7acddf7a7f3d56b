"""The compiled loop: how it is cut changes nothing."""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, strategies as st

from widelimit.numerics import Stepper, advance

KEY = jax.random.key(2)


class State(NamedTuple):
    y: Any
    k: Any


class Walk(eqx.Module):
    """y moves by the noise of step k, which has `size` numbers."""

    size: int
    pull: float

    def before(self, state: State, stop: Any) -> Any:
        return state.k < stop

    def index(self, state: State) -> Any:
        return state.k

    def noise(self, state: State, k: Any) -> Any:
        return jax.random.normal(jax.random.fold_in(KEY, k), (self.size,)) if self.size else None

    def step(self, state: State, noise: Any) -> State:
        kick = 1.0 if noise is None else noise[0]
        return State(self.pull * state.y + kick, state.k + 1)


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
    assert isinstance(walk, Stepper)
    state, done, finite = advance(walk, _start(), jnp.asarray(37), jnp.asarray(1000))
    assert (int(state.k), int(done), bool(finite)) == (37, 37, True)
    assert float(state.y) == pytest.approx(_by_hand(walk, 37), rel=1e-12)


@given(st.sampled_from([0, 3, 2000]), st.lists(st.integers(1, 40), min_size=1, max_size=8))
def test_the_cut_changes_no_bit(size: int, chunks: list[int]) -> None:
    walk = Walk(size, 0.9)
    total = sum(chunks)
    whole = advance(walk, _start(), jnp.asarray(total), jnp.asarray(10**6))[0]
    by_count = by_stop = _start()
    for i, chunk in enumerate(chunks):
        by_count, done, _ = advance(walk, by_count, jnp.asarray(total), jnp.asarray(chunk))
        assert int(done) == chunk
        by_stop, _, _ = advance(walk, by_stop, jnp.asarray(sum(chunks[: i + 1])), jnp.asarray(10**6))
    for cut in (by_count, by_stop):
        np.testing.assert_array_equal(cut.y, whole.y)
        assert int(cut.k) == total


def test_nothing_is_done_at_the_stop() -> None:
    state, done, _ = advance(Walk(3, 0.9), _start(), jnp.asarray(0), jnp.asarray(5))
    assert (int(done), float(state.y)) == (0, 0.5)


def test_says_when_something_is_not_finite() -> None:
    walk = Walk(0, 1e200)
    assert bool(advance(walk, _start(), jnp.asarray(1), jnp.asarray(10))[2])
    assert not bool(advance(walk, _start(), jnp.asarray(5), jnp.asarray(10))[2])
