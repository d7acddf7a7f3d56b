"""SGD: one step by hand, its noise by statistics, its batches by counting."""

import re
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import widelimit as wl
from widelimit import sampling, schedules
from widelimit.dynamics import advance, integrators

KEY = jax.random.key(5)
_RNG = np.random.default_rng(0)
_X = _RNG.normal(size=(7, 3))
_Y = np.sin(_X[:, 0])
_SAMPLES = wl.data.Samples(_X, _Y)
_NEURON = wl.units.Neuron(wl.activations.tanh, bias=False, output_weight=False)


def _value(theta: Any, x: Any) -> Any:
    return theta.a


def _input(theta: Any, x: Any) -> Any:
    return theta.a + 0.0 * x[0]


def _nothing(f: Any, y: Any) -> Any:
    return 0.0 * f


def _after(problem: wl.Problem, start: wl.Particles, sgd: wl.SGD, steps: int, key: Any = KEY) -> Any:
    own = sgd.prepare(problem)
    state = sgd.init(own, start, t1=1.0, key=key)
    return advance(sgd, own, state, jnp.asarray(steps), jnp.asarray(steps))[0]


def test_one_step_is_the_papers() -> None:
    # mei2018 (11) with T = 2 / beta: theta + 2 s (y - f) grad sigma - 2 lambda s theta + sqrt(4 s / beta) g.
    decay, beta, eps, n = 0.3, 5.0, 0.01, 6
    problem = wl.Problem(_NEURON, _SAMPLES, wl.losses.squared(1.0), penalty=wl.penalties.l2(decay))
    start = wl.Particles(np.random.default_rng(1).normal(size=(n, 3)))
    sgd = wl.SGD(eps, batch=4, temperature=2.0 / beta, schedule=schedules.power(0.25, 0.8))
    state = sgd.init(problem, start, t1=1.0, key=KEY)
    rows = np.asarray(start.positions)
    for k in range(3):
        x, y = (np.asarray(a) for a in problem.data.batch(jax.random.fold_in(jax.random.split(KEY)[0], k), 4))
        noise = sgd.noise(problem, state, jnp.asarray(k))
        g = np.asarray(noise[1]["weight"])
        s = eps * 0.8 * ((k + 1) * eps) ** -0.25
        hidden = np.tanh(rows @ x.T)
        slope = (1 - hidden**2) * (y - hidden.mean(0))
        rows = (1 - 2 * decay * s) * rows + 2 * s * (slope @ x) / 4 + np.sqrt(4 * s / beta) * g
        state = sgd.step(problem, state, noise)
        np.testing.assert_allclose(state.y["weight"], rows, rtol=1e-12)


def test_steps_of_a_schedule() -> None:
    # a' = a - s_k a: the product of (1 - s_k), s_k = eps xi(k eps).
    problem = wl.Problem(wl.units.Function(_value, columns=["a"]), wl.data.Samples(np.zeros((1, 1)), np.zeros(1)))
    start = wl.Particles([[2.0]])
    for xi, at in (
        (schedules.piecewise([0.5], [1.0, 3.0]), lambda k: 1.0 if k * 0.125 < 0.5 else 3.0),
        (lambda t: 1.0 + t, lambda k: 1.0 + k * 0.125),
        (schedules.power(0.5), lambda k: ((k + 1) * 0.125) ** -0.5),
    ):
        run = wl.evolve(problem, start, wl.SGD(0.125, sampling=sampling.Full(), schedule=xi), t1=1.0)
        expected = 2.0 * np.prod([1.0 - 0.125 * at(k) for k in range(8)])
        assert float(run.final.positions[0, 0]) == pytest.approx(expected, rel=1e-12)
        assert run.steps == 8


def _free(mobility: Any = None) -> wl.Problem:
    """Nothing but noise moves it."""
    return wl.Problem(_NEURON, _SAMPLES, _nothing, mobility=mobility)


def test_the_noise_has_the_stated_variance() -> None:
    n, eps, heat = 4000, 0.05, 0.3
    xi = schedules.piecewise([0.5], [1.0, 2.0])
    sgd = wl.SGD(eps, sampling=sampling.Full(), temperature=heat, schedule=xi)
    moved = np.asarray(_after(_free(), wl.Particles(np.zeros((n, 3))), sgd, 20).y["weight"])
    # Independent over particles and components: mean 0, variance 2 T INT xi, within 4 standard errors.
    variance = 2 * heat * 1.5
    assert np.all(np.abs(moved.mean(0)) < 4 * np.sqrt(variance / n))
    assert np.all(np.abs(moved.var(0) / variance - 1) < 4 * np.sqrt(2 / n))
    assert np.all(np.abs(np.corrcoef(moved.T) - np.eye(3)) < 4 / np.sqrt(n))
    assert abs(np.mean(moved[1:] * moved[:-1])) < 4 * variance / np.sqrt(3 * n)
    assert abs(np.mean(moved**4) / variance**2 - 3) < 4 * np.sqrt(96 / (3 * n))


def test_the_noise_knows_the_mobility_and_frozen_blocks() -> None:
    mobile = wl.mobilities.Diagonal(weight=0.25)
    sgd = wl.SGD(0.05, sampling=sampling.Full(), temperature=0.3)
    moved = np.asarray(_after(_free(mobile), wl.Particles(np.zeros((4000, 3))), sgd, 20).y["weight"])
    assert moved.var() == pytest.approx(2 * 0.3 * 0.25, rel=4 * np.sqrt(2 / 12000))
    problem = wl.Problem(wl.units.Neuron(wl.activations.tanh), _SAMPLES)
    start = wl.Particles(np.random.default_rng(1).normal(size=(6, 5)))
    run = wl.evolve(problem, start, wl.SGD(0.1, temperature=1.0, trainable=["weight"]), t1=1.0, key=KEY)
    np.testing.assert_array_equal(run.positions[:, :, 0], np.broadcast_to(start.positions[:, 0], (len(run), 6)))
    np.testing.assert_array_equal(run.positions[:, :, 4], np.broadcast_to(start.positions[:, 4], (len(run), 6)))
    assert np.all(run.final.positions[:, 1:4] != start.positions[:, 1:4])


def test_noise_needs_a_mobility_with_a_root() -> None:
    free = wl.mobilities.Function(lambda theta, g: g)
    with pytest.raises(ValueError, match=r"temperature.*mobilities\.Diagonal"):
        wl.evolve(_free(free), wl.Particles(np.ones((2, 3))), wl.SGD(0.1, temperature=1.0), t1=1.0, key=KEY)


def test_noise_and_batches_are_independent_and_differ_from_step_to_step() -> None:
    problem = wl.Problem(_NEURON, wl.data.GaussianClasses(1.0, 1.0, dim=3))
    sgd = wl.SGD(0.1, temperature=1.0)
    state = sgd.init(problem, wl.Particles(np.zeros((1, 3))), t1=1.0, key=KEY)
    (x, y), g = jax.vmap(lambda k: sgd.noise(problem, state, k))(jnp.arange(4000))
    both = np.concatenate([np.asarray(x)[:, 0], np.asarray(g["weight"])[:, 0], np.asarray(y)], axis=1)
    correlation = np.corrcoef(both.T)
    assert np.all(np.abs(correlation - np.eye(7)) < 4.5 / np.sqrt(4000))
    lagged = np.corrcoef(both[1:].T, both[:-1].T)[:7, 7:]
    assert np.all(np.abs(lagged) < 4.5 / np.sqrt(4000))
    later = eqx.tree_at(lambda s: s.k, state, jnp.asarray(17))
    again = sgd.noise(problem, later, jnp.asarray(3))
    np.testing.assert_array_equal(again[0][0], x[3])
    np.testing.assert_array_equal(again[1]["weight"], g["weight"][3])


def test_a_quench_is_a_noisy_run_and_then_a_quiet_one() -> None:
    problem = wl.Problem(_NEURON, _SAMPLES, wl.losses.squared(1.0))
    start = wl.Particles(np.random.default_rng(1).normal(size=(6, 3)))
    full = sampling.Full()
    quench = wl.SGD(0.125, sampling=full, temperature=schedules.piecewise([0.5], [0.1, 0.0]))
    one = wl.evolve(problem, start, quench, t1=1.0, key=KEY).final.positions
    hot = wl.evolve(problem, start, wl.SGD(0.125, sampling=full, temperature=0.1), t1=0.5, key=KEY).final
    two = wl.evolve(problem, hot, wl.SGD(0.125, sampling=full), t1=0.5).final.positions
    np.testing.assert_allclose(one, two, rtol=1e-13)


def test_a_temperature_that_is_infinite_at_the_start() -> None:
    # Like xi, it is taken at the right end of the step, or refused; it does not destroy the run.
    problem = wl.Problem(_NEURON, _SAMPLES)
    start = wl.Particles(np.zeros((4, 3)))
    try:
        run = wl.evolve(problem, start, wl.SGD(0.1, temperature=schedules.power(0.5)), t1=1.0, key=KEY, throw=False)
    except ValueError as error:
        assert "temperature" in str(error)  # noqa: PT017
    else:
        assert run.outcome is wl.Outcome.SUCCESS


def _labelled(rows: int, weights: Any = None) -> wl.data.Samples:
    """x is its own index."""
    return wl.data.Samples(np.arange(float(rows)), np.zeros(rows), weights)


def _batches(sampler: Any, data: Any, size: int, steps: int, key: Any = KEY) -> list[Any]:
    order, out = sampler.start(data, key), []
    for k in range(steps):
        nodes, order = _batch(sampler, data, key, jnp.asarray(k), size, order)
        out.append(nodes)
    return out


@eqx.filter_jit
def _batch(sampler: Any, data: Any, key: Any, k: Any, size: int, order: Any) -> Any:
    return sampler.pick(data, key, k, size, sampler.draw(data, key, k, size), order)


@pytest.mark.parametrize(("rows", "size"), [(8, 4), (7, 3), (5, 1), (3, 8)])
def test_epochs_take_each_sample_once(rows: int, size: int) -> None:
    per_epoch = -(-rows // size)
    seen = []
    for nodes in _batches(sampling.Epochs(), _labelled(rows), size, 4 * per_epoch):
        np.testing.assert_allclose(jnp.sum(nodes.weights), 1.0, rtol=1e-14)
        inside = np.asarray(nodes.weights) > 0
        assert np.ptp(np.asarray(nodes.weights)[inside]) < 1e-14
        seen.append(np.asarray(nodes.x)[inside, 0])
    epochs = [np.concatenate(seen[i * per_epoch : (i + 1) * per_epoch]) for i in range(4)]
    for epoch in epochs:
        np.testing.assert_array_equal(np.sort(epoch), np.arange(rows))
    if rows >= 5:
        assert len({tuple(epoch) for epoch in epochs}) == 4
        other = _batches(sampling.Epochs(), _labelled(rows), size, per_epoch, jax.random.key(99))
        assert any(
            not np.array_equal(a.x, b.x)
            for a, b in zip(other, _batches(sampling.Epochs(), _labelled(rows), size, per_epoch), strict=True)
        )


def test_epochs_leave_out_the_last_smaller_batch() -> None:
    seen = [np.asarray(n.x)[:, 0] for n in _batches(sampling.Epochs(drop_last=True), _labelled(7), 3, 8)]
    epochs = [np.concatenate(seen[i : i + 2]) for i in range(0, 8, 2)]
    assert all(len(set(epoch)) == 6 for epoch in epochs)
    # Another sample is left out each time.
    assert len({21.0 - epoch.sum() for epoch in epochs}) > 1
    (whole,) = _batches(sampling.Epochs(drop_last=True), _labelled(2), 3, 1)
    np.testing.assert_allclose(whole.weights, [0.5, 0.5, 0.0])


def test_ordered_takes_the_given_rows_batch_by_batch() -> None:
    passes = [[4, 2, 0, 1, 3], [0, 1, 2, 3, 4]]
    seen = []
    for nodes in _batches(sampling.Ordered(passes), _labelled(5), 2, 7):
        np.testing.assert_allclose(jnp.sum(nodes.weights), 1.0, rtol=1e-14)
        seen.append(np.asarray(nodes.x)[np.asarray(nodes.weights) > 0, 0].tolist())
    assert seen == [[4, 2], [0, 1], [3], [0, 1], [2, 3], [4], [4, 2]]
    plain = [np.asarray(nodes.x)[:, 0].tolist() for nodes in _batches(sampling.Ordered(), _labelled(4), 2, 3)]
    assert plain == [[0, 1], [2, 3], [0, 1]]


def test_ordered_needs_no_key_and_refuses_other_rows() -> None:
    problem = wl.Problem(_NEURON, _SAMPLES)
    start = wl.Particles(np.ones((2, 3)))
    sgd = wl.SGD(0.1, batch=3, sampling=sampling.Ordered())
    assert wl.evolve(problem, start, sgd, t1=0.4).times[-1] == 0.4
    assert sgd.facts(problem).order is None
    assert wl.SGD(0.1, batch=7, sampling=sampling.Ordered()).facts(problem).order == 1.0
    with pytest.raises(ValueError, match="the data have the rows 0 to 6, got 7"):
        wl.evolve(problem, start, wl.SGD(0.1, sampling=sampling.Ordered([0, 7])), t1=0.4)
    for rows in ([0.5], [-1], [[[0]]], []):
        with pytest.raises(ValueError, match=r"sampling.Ordered\(rows=...\): expected whole numbers from 0"):
            sampling.Ordered(rows)


def test_epochs_respect_the_weights_of_the_samples() -> None:
    weights = np.array([1.0, 2.0, 3.0, 4.0])
    total = np.zeros(4)
    for nodes in _batches(sampling.Epochs(), _labelled(4, weights), 2, 2):
        for x, w in zip(np.asarray(nodes.x)[:, 0], np.asarray(nodes.weights), strict=True):
            total[int(x)] += w / 2
    np.testing.assert_allclose(total, weights / 10, rtol=1e-14)


def test_fresh_draws_by_weight_with_replacement() -> None:
    weights = np.array([1.0, 2.0, 3.0, 4.0])
    x = np.concatenate([np.asarray(n.x)[:, 0] for n in _batches(sampling.Fresh(), _labelled(4, weights), 500, 10)])
    share = np.bincount(x.astype(int), minlength=4) / x.size
    np.testing.assert_allclose(share, weights / 10, atol=4 * 0.5 / np.sqrt(x.size))


def test_full_takes_everything_and_ignores_the_batch() -> None:
    problem = wl.Problem(_NEURON, _SAMPLES)
    start = wl.Particles(np.random.default_rng(1).normal(size=(6, 3)))
    runs = [_after(problem, start, wl.SGD(0.1, batch=b, sampling=sampling.Full()), 5).y["weight"] for b in (1, 5)]
    np.testing.assert_array_equal(*runs)


def test_a_batch_that_grows() -> None:
    # The batch of step k: the first 1 (t < 1/2) or all 3 of the three drawn.
    problem = wl.Problem(_NEURON, _SAMPLES, wl.losses.squared(1.0))
    start = wl.Particles(np.random.default_rng(1).normal(size=(4, 3)))
    sgd = wl.SGD(0.25, batch=schedules.piecewise([0.5], [1, 3]))
    rows = np.asarray(start.positions)
    for k in range(4):
        x, y = (np.asarray(a) for a in problem.data.batch(jax.random.fold_in(jax.random.split(KEY)[0], k), 3))
        size = 1 if k < 2 else 3
        hidden = np.tanh(rows @ x[:size].T)
        rows = rows + 0.5 * ((1 - hidden**2) * (y[:size] - hidden.mean(0))) @ x[:size] / size
    np.testing.assert_allclose(_after(problem, start, sgd, 4).y["weight"], rows, rtol=1e-12)


def test_the_same_key_gives_the_same_run_and_another_another() -> None:
    problem = wl.Problem(_NEURON, _SAMPLES)
    start = wl.Particles(np.random.default_rng(1).normal(size=(4, 3)))
    a, b, c = (_after(problem, start, wl.SGD(0.1), 9, key).y["weight"] for key in (KEY, KEY, jax.random.key(6)))
    np.testing.assert_array_equal(a, b)
    assert np.all(np.asarray(a) != np.asarray(c))


def test_gradient_descent_falls_monotonically_and_needs_no_key() -> None:
    problem = wl.Problem(_NEURON, _SAMPLES)
    run = wl.evolve(problem, wl.Particles(np.ones((4, 3))), wl.SGD(0.1, sampling=sampling.Full()), t1=3.0)
    assert np.all(np.diff(run.risk) <= 0)


@pytest.mark.parametrize(
    "make",
    [
        wl.SGD(0.1),
        wl.SGD(0.1, sampling=sampling.Epochs()),
        wl.SGD(0.1, sampling=sampling.Full(), temperature=1.0),
    ],
)
def test_random_numbers_need_a_key(make: Any) -> None:
    with pytest.raises(ValueError, match=r"evolve\(key=\.\.\.\)"):
        wl.evolve(wl.Problem(_NEURON, _SAMPLES), wl.Particles(np.ones((2, 3))), make, t1=1.0)


@pytest.mark.parametrize("sampler", [sampling.Epochs(), sampling.Full()])
def test_passes_need_finite_data(sampler: Any) -> None:
    problem = wl.Problem(_NEURON, wl.data.GaussianClasses(1.0, 1.0, dim=3))
    with pytest.raises(ValueError, match=rf"{type(sampler).__name__}.*freeze"):
        wl.evolve(problem, wl.Particles(np.ones((2, 3))), wl.SGD(0.1, sampling=sampler), t1=1.0, key=KEY)


# Precision.


def _doubles(jaxpr: Any, found: set[str]) -> set[str]:
    """Operations on float64 arrays (numbers aside: times are float64) in a jaxpr and all inside it."""
    for equation in jaxpr.eqns:
        for variable in (*equation.invars, *equation.outvars):
            aval = getattr(variable, "aval", None)
            if getattr(aval, "dtype", None) == jnp.float64 and aval.shape != ():  # pyright: ignore
                found.add(f"{equation.primitive} {aval}")
        for value in jax.tree.leaves(equation.params, is_leaf=lambda v: hasattr(v, "eqns") or hasattr(v, "jaxpr")):
            inner = getattr(value, "jaxpr", value)
            if hasattr(inner, "eqns"):
                _doubles(inner, found)
    return found


def _one(key: Any) -> Any:
    x = jax.random.normal(key, (3,))
    return x, jnp.sin(x[0])


def _first(x: Any) -> Any:
    return jnp.sin(x[0])


_SOURCES = {
    "samples": lambda: _SAMPLES,
    "weighted": lambda: wl.data.Samples(_X, _Y, np.arange(1.0, 8.0)),
    "classes": lambda: wl.data.GaussianClasses(1.0, 2.0, dim=3),
    "matrix": lambda: wl.data.GaussianClasses(np.eye(3) + 0.1, 2.0, mean_plus=1.0, dim=3),
    "key": lambda: wl.data.FromKey(_one),
    "sphere": lambda: wl.data.uniform_sphere(3, _first),
    "box": lambda: wl.data.uniform_box(3, _first),
    "quadrature": lambda: wl.data.gauss_hermite(2, _first, dim=3),
}


@pytest.mark.first(1)
@pytest.mark.parametrize("source", list(_SOURCES))
def test_single_precision_stays_single(source: str) -> None:
    problem = wl.Problem(
        wl.units.Neuron(wl.activations.tanh),
        _SOURCES[source](),
        penalty=wl.penalties.l2(0.1) + wl.penalties.total_variation(0.1, "output"),
        domain=wl.domains.product(weight=wl.domains.Sphere()),
        mobility=wl.mobilities.Diagonal(output=2.0),
    )
    rows = np.random.default_rng(1).normal(size=(4, 5))
    rows[:, 1:4] /= np.linalg.norm(rows[:, 1:4], axis=1, keepdims=True)
    sgd = wl.SGD(0.05, batch=2, temperature=0.1, schedule=schedules.power(0.25), dtype=jnp.float32)
    own = sgd.prepare(problem)
    state = sgd.init(own, wl.Particles(rows), t1=1.0, key=KEY)
    assert all(leaf.dtype == jnp.float32 for leaf in jax.tree.leaves((state.y, state.still, state.weights)))

    drawn = sgd.noise(own, state, state.k)

    def step(state: Any) -> Any:
        # What a function of the user's own computes inside is its own affair; what comes out is cast.
        return sgd.step(own, state, drawn if source == "key" else sgd.noise(own, state, state.k))

    new = eqx.filter_eval_shape(step, state)
    assert jax.tree.map(lambda a: a.dtype, new.y) == jax.tree.map(lambda a: a.dtype, state.y)
    assert _doubles(eqx.filter_make_jaxpr(step)(state)[0].jaxpr, set()) == set()


@pytest.mark.parametrize("step", [1e-7, 2e-8])
@pytest.mark.parametrize("penalty", [None, wl.penalties.total_variation(0.01, "weight")])
def test_steps_below_the_rounding_of_float32_are_not_lost(step: float, penalty: Any) -> None:
    """3000 steps move theta by less than a thousandth; in one number of 24 bits each would be rounded, or nothing."""
    problem = wl.Problem(_NEURON, _SAMPLES, penalty=penalty)
    start = wl.Particles(np.random.default_rng(3).normal(size=(5, 3)).astype(np.float32).astype(float))
    moved = []
    for dtype in (jnp.float64, jnp.float32):
        descent = wl.SGD(step, sampling=sampling.Full(), dtype=dtype)
        end = wl.evolve(problem, start, descent, t1=3000 * step, save_at=[3000 * step], observe=()).final
        moved.append(np.asarray(end.positions) - np.asarray(start.positions))
    np.testing.assert_allclose(moved[1], moved[0], rtol=1e-5, atol=1e-5 * np.max(np.abs(moved[0])))


def test_steps_that_float32_resolves_are_summed_in_one_number() -> None:
    problem, start = wl.Problem(_NEURON, _SAMPLES), wl.Particles(np.ones((5, 3)))
    falls = schedules.piecewise([0.5], [1.0, 1e-5])
    for step, schedule, one in ((1e-2, 1.0, True), (1e-7, 1.0, False), (1e-2, falls, False)):
        descent = wl.SGD(step, schedule=schedule, dtype=jnp.float32)
        state = descent.init(descent.prepare(problem), start, t1=1.0, key=KEY)
        assert (state.lost is None) == one


def test_single_precision_agrees_with_double() -> None:
    problem = wl.Problem(_NEURON, _SAMPLES, penalty=wl.penalties.l2(0.1))
    start = wl.Particles(np.random.default_rng(1).normal(size=(4, 3)))
    wide = wl.evolve(problem, start, wl.SGD(0.05, sampling=sampling.Full()), t1=2.0)
    narrow = wl.evolve(problem, start, wl.SGD(0.05, sampling=sampling.Full(), dtype=jnp.float32), t1=2.0)
    np.testing.assert_allclose(narrow.positions, wide.positions, atol=1e-5)
    np.testing.assert_allclose(narrow.risk, wide.risk, atol=1e-5)


# Bad numbers, and what to try after a divergence.


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda: wl.SGD(0.0), r"^SGD\(step"),
        (lambda: wl.SGD(-0.1), r"^SGD\(step"),
        (lambda: wl.SGD(float("inf")), r"^SGD\(step"),
        (lambda: wl.SGD(0.1, batch=0), r"^SGD\(batch"),
        (lambda: wl.SGD(0.1, batch=-1), r"^SGD\(batch"),
        (lambda: wl.SGD(0.1, batch=1.5), r"^SGD\(batch"),
        (lambda: wl.SGD(0.1, batch="many"), r"^SGD\(batch"),
        (lambda: wl.SGD(0.1, batch=lambda t: 1), r"^SGD\(batch"),
        (lambda: wl.SGD(0.1, batch=schedules.piecewise([1.0], [0, 2])), r"^SGD\(batch"),
        (lambda: wl.SGD(0.1, batch=schedules.piecewise([1.0], [1.5, 2])), r"^SGD\(batch"),
        (
            lambda: wl.SGD(0.1, batch=schedules.piecewise([1.0], [1, 2]), sampling=sampling.Epochs()),
            r"^SGD\(batch",
        ),
        (lambda: wl.SGD(0.1, temperature=-1.0), r"^SGD\(temperature"),
        (lambda: wl.SGD(0.1, schedule=-1.0), r"^SGD\(schedule"),
        (lambda: wl.SGD(0.1, dtype=jnp.float16), r"^SGD\(dtype"),
        (lambda: wl.SGD(0.1, dtype="wide"), r"^SGD\(dtype"),
    ],
)
def test_bad_arguments(make: Any, name: str) -> None:
    with pytest.raises(ValueError, match=name):
        make()


# What makes a step of 20 too long: the factor of the loss alone, a penalty, the mobility, the schedule at its start.
# They differ in numbers only, so that a chain compiles once for all four.
_STIFF = {
    "plain": {},
    "penalty": {"penalty": 50.0},
    "mobility": {"mobility": 100.0},
    "schedule": {"schedule": 50.0},
}


def _stiff(penalty: float = 0.0, mobility: float = 1.0, schedule: float = 1.0) -> tuple[wl.Problem, Any]:
    unit = wl.units.Neuron(wl.activations.softplus, bias=False)
    problem = wl.Problem(
        unit,
        _SAMPLES,
        wl.losses.squared(1.0),
        penalty=wl.penalties.l2(penalty),
        mobility=wl.mobilities.Diagonal(output=mobility, weight=mobility),
    )
    return problem, schedules.piecewise([0.5], [schedule, 1.0])


@pytest.mark.first(2)
@pytest.mark.parametrize("chain", [sampling.Fresh(), sampling.Full()], ids=["fresh", "full"])
@pytest.mark.parametrize("case", list(_STIFF))
def test_a_step_that_diverges_is_answered_by_one_that_works(case: str, chain: Any) -> None:
    problem, xi = _stiff(**_STIFF[case])
    start = wl.Particles(np.random.default_rng(1).normal(size=(6, 4)))
    bad = wl.evolve(problem, start, wl.SGD(20.0, sampling=chain, schedule=xi), t1=8000.0, key=KEY, throw=False)
    assert bad.outcome is wl.Outcome.DIVERGED
    assert np.all(np.isfinite(bad.positions))
    assert np.all(np.isfinite(bad.risk))
    step = float(re.search(r"SGD\(step=([^)]*)\)", bad.message).group(1))  # pyright: ignore
    assert 1e-5 < step < 20.0
    steps = 200
    good = wl.evolve(problem, start, wl.SGD(step, sampling=chain, schedule=xi), t1=steps * step, key=KEY, throw=False)
    assert good.outcome is wl.Outcome.SUCCESS
    objective = good.risk + good.penalty
    assert objective[-1] < 2.0 * objective[0]


def test_a_run_shorter_than_half_a_step() -> None:
    # No step fits: saying so is better than a curve of the start alone.
    problem = wl.Problem(_NEURON, _SAMPLES)
    try:
        run = wl.evolve(problem, wl.Particles(np.ones((2, 3))), wl.SGD(1.0), t1=0.3, key=KEY)
    except ValueError as error:
        assert "step" in str(error)  # noqa: PT017
    else:
        assert run.steps >= 1


def test_facts_of_noise() -> None:
    problem = wl.Problem(_NEURON, _SAMPLES)
    hot = wl.SGD(0.1, temperature=1.0).facts(problem)
    assert not hot.splits
    assert not hot.permutes
    assert not hot.decreases
    assert wl.SGD(0.1, sampling=sampling.Full()).facts(problem).order == 1.0
    assert wl.GradientFlow(integrators.RungeKutta4(0.1)).facts(problem).order == 4


class _Halved(schedules.AbstractSchedule):
    """A stranger's: 8 samples a step until t = 1/2, then 4."""

    jumps = True

    def __call__(self, t: Any) -> Any:
        return jnp.where(t < 0.5, 8.0, 4.0)

    def integral(self, t: float) -> float:
        return 8.0 * min(t, 0.5) + 4.0 * max(t - 0.5, 0.0)

    def values(self) -> list[float]:
        return [8.0, 4.0]


def test_a_batch_that_jumps_need_not_be_the_library_s_own() -> None:
    problem = wl.Problem(_NEURON, _SAMPLES)
    start = wl.Particles(np.random.default_rng(1).normal(size=(6, 3)))
    ends = [
        wl.evolve(problem, start, wl.SGD(0.125, batch=batch), t1=1.0, key=KEY).final.positions
        for batch in (_Halved(), schedules.piecewise([0.5], [8.0, 4.0]), 8.0)
    ]
    np.testing.assert_array_equal(ends[0], ends[1])
    assert np.max(np.abs(ends[0] - ends[2])) > 1e-6
    with pytest.raises(ValueError, match="changes in time"):
        wl.SGD(0.125, batch=_Halved(), sampling=sampling.Epochs())
