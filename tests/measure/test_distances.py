"""Wasserstein distances against closed forms, exact linear programmes (HiGHS) and the axioms."""

import jax
import numpy as np
import ot
import pytest
from hypothesis import given, settings, strategies as st
from scipy import sparse
from scipy.optimize import linprog

import widelimit as wl
from widelimit.measure import (
    Block,
    Particles,
    _coupling,
    covariance,
    laws,
    sliced_wasserstein2,
    wasserstein2,
    wasserstein2_bounds,
)

numbers = st.floats(-10, 10)
atoms_1d = st.lists(st.tuples(numbers, st.integers(1, 5)), min_size=1, max_size=6)

# Costs are accurate to about 1e-15 times the largest |x|^2 = 100; W_2 is the root of that.
ROUNDING = 1e-6


def cloud(n, dim, seed, *, weighted=False, scale=1.0, shift=0.0):
    rng = np.random.default_rng(seed)
    w = rng.uniform(0.2, 1.0, n) if weighted else np.ones(n)
    return Particles(shift + scale * rng.normal(size=(n, dim)), w / w.sum())


def line(atoms):
    x, w = np.array(atoms, float).T
    return Particles(x[:, None], w / w.sum())


def exact(a, b):
    """The linear programme, by another method than the library's network simplex."""
    cost = np.sum((np.asarray(a.positions)[:, None] - np.asarray(b.positions)) ** 2, axis=2)
    n, m = cost.shape
    ones = sparse.vstack([sparse.kron(sparse.eye(n), np.ones((1, m))), sparse.kron(np.ones((1, n)), sparse.eye(m))])
    # The last equation follows from the others; in units of the mean weight and cost.
    given = (max(n, m) * np.concatenate([a.weights, b.weights]))[:-1]
    found = linprog(cost.ravel() / cost.mean(), A_eq=ones.tocsr()[:-1], b_eq=given, method="highs-ds")
    assert found.status == 0
    return np.sqrt(found.fun * cost.mean() / max(n, m))


def allowance(a, b, epsilon):
    """What the docstring allows result^2 - W_2^2 to be."""
    spread = float(np.trace(covariance(a)) + np.trace(covariance(b)))
    x, y = (np.asarray(m.positions - m.weights @ m.positions) for m in (a, b))
    return epsilon * spread * np.log(min(len(a), len(b))) + 4e-4 * ot.dist(x, y).max()


def test_normal_laws_on_the_line():
    # W_2^2 between normals on the line is (m1 - m2)^2 + (s1 - s2)^2.
    a, b = laws.Normal(0.0, 1.0).quantise(4000), laws.Normal(0.5, 1.5).quantise(4000)
    # The tail outside the last midpoint holds 1/4000 of the mass and 2e-3 of the variance.
    assert float(wasserstein2(a, b)) == pytest.approx(np.sqrt(0.5), rel=2e-3)


def test_two_atoms_and_one():
    assert float(wasserstein2(line([(0, 1), (4, 3)]), line([(1, 1)]))) == pytest.approx(np.sqrt(0.25 + 0.75 * 9))


@pytest.mark.parametrize("seed", range(3))
def test_line_agrees_with_the_linear_programme(seed):
    a, b = cloud(40, 1, seed, weighted=True), cloud(57, 1, seed + 10, weighted=True, shift=0.3)
    assert float(wasserstein2(a, b)) == pytest.approx(exact(a, b), rel=1e-10)


@settings(max_examples=25, deadline=None)
@given(a=atoms_1d, b=atoms_1d, c=atoms_1d)
def test_axioms_on_the_line(a, b, c):
    a, b, c = line(a), line(b), line(c)
    ab, bc, ac = (float(wasserstein2(*pair)) for pair in ((a, b), (b, c), (a, c)))
    assert float(wasserstein2(a, a)) <= ROUNDING
    assert float(wasserstein2(b, a)) == pytest.approx(ab, abs=ROUNDING)
    assert ac <= ab + bc + ROUNDING
    # By Jensen's inequality the means are no further apart; a lower bound that 0 would not meet.
    assert ab >= abs(float(a.weights @ a.positions[:, 0] - b.weights @ b.positions[:, 0])) - ROUNDING


@settings(max_examples=25, deadline=None)
@given(atoms=atoms_1d, other=atoms_1d, data=st.data())
def test_splitting_and_order_of_particles_change_nothing(atoms, other, data):
    a, b = line(atoms), line(other)
    i = data.draw(st.integers(0, len(a) - 1))
    order = np.array(data.draw(st.permutations(range(len(a) + 1))))
    x = np.concatenate([a.positions, a.positions[i : i + 1]])
    w = np.append(a.weights, a.weights[i] / 2)
    w[i] /= 2
    split = Particles(x[order], w[order])
    assert float(wasserstein2(split, b)) == pytest.approx(float(wasserstein2(a, b)), abs=ROUNDING)


@pytest.fixture
def entropic(monkeypatch):
    """Clouds that are small, treated as large ones."""
    monkeypatch.setattr(_coupling, "_EXACT", 0)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (cloud(60, 3, 0), cloud(60, 3, 1)),
        (cloud(30, 2, 0), cloud(60, 2, 1)),
        (cloud(20, 2, 0), Particles(np.random.default_rng(2).normal(size=(3, 2)), [0.5, 0.25, 0.25])),
        (cloud(40, 5, 0, weighted=True), cloud(57, 5, 1, weighted=True, scale=1e-3, shift=7.0)),
        (cloud(30, 2, 0, weighted=True, scale=1e4), cloud(20, 2, 1, shift=-1e4)),
    ],
    ids=["equal", "multiples", "quarters", "weighted", "large"],
)
def test_exact_in_more_dimensions(a, b):
    bounds = wasserstein2_bounds(a, b)
    assert float(bounds.lower) == float(bounds.upper) == float(wasserstein2(a, b))
    assert float(bounds.upper) == pytest.approx(exact(a, b), rel=1e-9)
    assert float(wasserstein2(a, a)) == 0.0


def test_both_bounds_of_large_measures(entropic):
    for a, b in ((cloud(40, 2, 0), cloud(40, 2, 1)), (cloud(30, 4, 0, weighted=True), cloud(45, 4, 1, shift=0.5))):
        wide, narrow = (wasserstein2_bounds(a, b, epsilon=e) for e in (1e-1, 1e-3))
        for lower, upper in (wide, narrow):
            # Where the potentials are optimal the lower bound is the distance itself, but for the rounding of the sums.
            assert 0.0 < float(lower) <= exact(a, b) * (1 + 1e-13)
            assert exact(a, b) <= float(upper)
        assert float(narrow.upper - narrow.lower) < 0.1 * float(wide.upper - wide.lower)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (cloud(40, 2, 0), cloud(40, 2, 1)),
        (cloud(40, 2, 0), cloud(40, 2, 1, weighted=True, scale=1.5, shift=3.0)),
        (cloud(40, 20, 0, weighted=True), cloud(40, 20, 1, weighted=True)),
    ],
    ids=["same law", "other weights", "twenty dimensions"],
)
@pytest.mark.parametrize("epsilon", [1e-2, 1e-3])
def test_upper_bound_within_the_stated_excess(a, b, epsilon, entropic):
    value, true = float(wasserstein2(a, b, epsilon=epsilon)), exact(a, b)
    assert true**2 - 1e-12 <= value**2 <= true**2 + allowance(a, b, epsilon)


def test_smaller_epsilon_is_closer(entropic):
    a, b = cloud(40, 2, 0), cloud(40, 2, 1)
    excess = [float(wasserstein2(a, b, epsilon=e)) - exact(a, b) for e in (1e-1, 1e-2, 1e-3)]
    assert excess[0] > 2 * excess[1] > 4 * excess[2] > 0


def test_splitting_and_massless_particles_in_the_plane():
    a, b = cloud(20, 2, 3, weighted=True), cloud(40, 2, 4)
    half = Particles(np.tile(a.positions, (2, 1)), np.tile(a.weights, 2) / 2)
    padded = Particles(np.append(a.positions, [[50.0, 50.0]], axis=0), np.append(a.weights, 0.0))
    value = float(wasserstein2(a, b))
    assert float(wasserstein2(half, b)) == pytest.approx(value, rel=1e-9)
    assert float(wasserstein2(padded, b)) == value


def test_shift_is_the_distance_between_means():
    a = cloud(40, 3, 0)
    moved = Particles(a.positions + np.array([3.0, 4.0, 0.0]), a.weights)
    assert float(wasserstein2(a, moved)) == pytest.approx(5.0, rel=1e-12)


def test_points_on_top_of_each_other():
    one = Particles(np.zeros((5, 2)))
    assert float(wasserstein2(one, Particles(np.zeros((3, 2))))) == 0.0


def test_mass_scales_the_squared_distance():
    for dim in (1, 2):
        a, b = cloud(40, dim, 0), cloud(40, dim, 1)
        heavy = [Particles(m.positions, 9 * m.weights) for m in (a, b)]
        assert float(wasserstein2(*heavy)) == pytest.approx(3 * float(wasserstein2(a, b)), rel=1e-9)


def test_sliced_distance_of_a_shift():
    # Every projection is a shift by s . v: E (s . v)^2 = |v|^2 / D, with relative variance 2 (D - 1)/(D + 2).
    a, v = cloud(30, 3, 0), np.array([1.0, -2.0, 2.0])
    moved = Particles(a.positions + v, a.weights)
    count = 4000
    value = float(sliced_wasserstein2(a, moved, directions=count, key=jax.random.key(0)))
    deviations = (value**2 / 3 - 1) / np.sqrt(2 * 2 / 5 / count)
    assert abs(deviations) < 4
    assert value == float(sliced_wasserstein2(a, moved, directions=count, key=jax.random.key(0)))


def test_sliced_distance_agrees_with_pot_and_is_below_the_full_one():
    a, b = cloud(30, 4, 0, weighted=True), cloud(20, 4, 1, weighted=True, shift=0.5)
    key = jax.random.key(3)
    s = jax.random.normal(key, (64, 4))
    s = np.asarray(s / np.linalg.norm(s, axis=1, keepdims=True))
    x, y, w, v = (np.asarray(z) for z in (a.positions, b.positions, a.weights, b.weights))
    oracle = ot.sliced_wasserstein_distance(x, y, w, v, projections=s.T)
    value = float(sliced_wasserstein2(a, b, directions=64, key=key))
    assert value == pytest.approx(oracle, rel=1e-10)
    assert value <= exact(a, b) / 2 * (1 + 4 / np.sqrt(64))


def test_sliced_on_the_line_is_exact():
    a, b = cloud(30, 1, 0), cloud(20, 1, 1)
    value = float(sliced_wasserstein2(a, b, directions=3, key=jax.random.key(0)))
    assert value == pytest.approx(float(wasserstein2(a, b)), rel=1e-12)


def test_sampling_error_falls_as_the_root_of_n():
    # E W_2^2 between n samples and the uniform law on [0, 1] is 1/(6 n).
    law, sizes = laws.Uniform(0.0, 1.0), np.array([50, 500])
    limit = law.quantise(10_000)
    keys = jax.random.split(jax.random.key(5), 40)
    mean = [np.mean([float(wasserstein2(law.sample(int(n), key=k), limit)) ** 2 for k in keys]) for n in sizes]
    slope = np.log(mean[1] / mean[0]) / np.log(sizes[1] / sizes[0])
    assert slope == pytest.approx(-1.0, abs=0.3)


def test_a_simplex_that_does_not_end_is_an_error(monkeypatch):
    monkeypatch.setattr(_coupling, "_PIVOTS", 1)
    with pytest.raises(RuntimeError, match="network simplex did not end"):
        wasserstein2(cloud(40, 2, 0), cloud(40, 2, 1))


def test_no_convergence_is_an_error(entropic, monkeypatch):
    monkeypatch.setattr(_coupling, "_MAX_ITERATIONS", 10)
    with pytest.raises(RuntimeError, match="not converged after 10 iterations"):
        wasserstein2(cloud(40, 2, 0), cloud(40, 2, 1), epsilon=1e-4)


@pytest.mark.parametrize(
    ("a", "b", "words"),
    [
        (cloud(3, 2, 0), cloud(3, 3, 0), "2 and 3 parameters"),
        (cloud(3, 2, 0), Particles(np.zeros((2, 2)), [0.5, 0.6]), "masses"),
        (Particles(np.zeros((2, 2)), [1.5, -0.5]), cloud(3, 2, 0), "negative"),
        (Particles(np.full((2, 2), np.nan)), cloud(3, 2, 0), "finite"),
        (cloud(3, 2, 0), Particles(np.zeros((2, 2)), [0.0, 0.0]), "positive"),
    ],
)
def test_bad_measures(a, b, words):
    with pytest.raises(ValueError, match=words):
        wasserstein2(a, b)
    with pytest.raises(ValueError, match=words):
        sliced_wasserstein2(a, b, key=jax.random.key(0))


def test_bad_options():
    a = cloud(3, 2, 0)
    with pytest.raises(ValueError, match="epsilon"):
        wasserstein2(a, a, epsilon=0.0)
    with pytest.raises(ValueError, match="directions"):
        sliced_wasserstein2(a, a, directions=0, key=jax.random.key(0))
    many = Particles(np.random.default_rng(0).normal(size=(5001, 2)))
    with pytest.raises(ValueError, match="sliced_wasserstein2"):
        wasserstein2(many, many)


def test_columns_are_compared_by_their_names() -> None:
    blocks = (Block("a", ()), Block("b", (2,)))
    rows = np.random.default_rng(0).normal(size=(8, 3))
    one = wl.Particles(rows, blocks=blocks)
    other = wl.Particles(rows[:, [1, 2, 0]] + 1.0, blocks=blocks[::-1])
    key = jax.random.key(0)
    assert float(wasserstein2(one, other)) == pytest.approx(3.0**0.5, rel=1e-3)
    named, bare = (sliced_wasserstein2(one, wl.Particles(rows + 1.0, blocks=b), key=key) for b in (blocks, ()))
    assert float(sliced_wasserstein2(one, other, key=key)) == pytest.approx(float(named), rel=1e-12)
    assert float(named) == float(bare)
    for strange in ((Block("a", ()), Block("c", (2,))), (Block("a", (2,)), Block("b", ()))):
        with pytest.raises(ValueError, match=r"sliced_wasserstein2: the two must have the same parameters"):
            sliced_wasserstein2(one, wl.Particles(rows, blocks=strange), key=key)


def test_axes_of_a_density_are_arranged_by_their_names() -> None:
    grid = wl.grids.product(wl.grids.uniform(0.0, 1.0, 2), wl.grids.uniform(0.0, 3.0, 3))
    rho = wl.GridDensity(grid, np.arange(6.0).reshape(2, 3), blocks=(Block("a", ()), Block("b", ())))
    other = rho.arranged(rho.blocks[::-1])
    np.testing.assert_array_equal(other.masses, rho.masses.T)
    np.testing.assert_array_equal(other.grid.centres[0], grid.centres[1])
    np.testing.assert_array_equal(other.arranged(rho.blocks).positions, rho.positions)
