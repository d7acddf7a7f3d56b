"""Eigenvalues and eigenfunctions of J^T J and J J^T against matrices that are built without J."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.integrate
import scipy.stats
from kernel_problems import PROBLEMS

import widelimit as wl
from widelimit.kernels import decompose, tangent_kernel

_RNG = np.random.default_rng(5)
LAWS = wl.laws


def spline(**options: Any) -> wl.Problem:
    return wl.problems.free_knot_spline(lambda x: jnp.sin(3.0 * x), **options)


@pytest.mark.parametrize("name", list(PROBLEMS))
@pytest.mark.parametrize("count", [pytest.param(2, marks=pytest.mark.slow), 40])
def test_both_sides_on_finite_data(name: str, count: int) -> None:
    _check_both_sides(name, count)


def test_both_sides_with_fewer_features_than_data() -> None:
    """The decomposition begins from the other side then."""
    _check_both_sides(next(iter(PROBLEMS)), 2)


def _check_both_sides(name: str, count: int) -> None:
    problem, weights = PROBLEMS[name], _RNG.dirichlet(np.ones(count))
    measure = wl.Particles(_RNG.normal(size=(count, problem.dim)), weights)
    found = decompose(problem, measure, trainable=None, who="test")
    nodes = problem.data.nodes
    root = np.repeat(np.sqrt(np.asarray(nodes.weights)), int(np.prod(problem.data.outputs)))
    dense = root[:, None] * np.asarray(tangent_kernel(problem, measure, nodes.x)).reshape(len(root), -1) * root
    values = np.linalg.eigvalsh(dense)[::-1][: len(found.singular)]
    np.testing.assert_allclose(found.eigenvalues, values, atol=1e-12 * values[0])
    # Orthonormal in L2(mu), at the nodes and by the formula for any input.
    v = (root[:, None] * found.on_nodes().reshape(len(root), -1))[:, :3]
    np.testing.assert_allclose(v.T @ v, np.eye(3), atol=1e-12)
    np.testing.assert_allclose(dense @ v, v * values[:3], atol=1e-12 * values[0])
    anywhere = found.eigenfunctions(nodes.x, "x").reshape(len(root), -1)[:, :3]
    np.testing.assert_allclose(root[:, None] * anywhere, v, atol=1e-9)
    # The left vectors: orthonormal under rho.
    s = found.gradients(np.asarray(measure.positions))[..., :3] / found.singular[:3]
    np.testing.assert_allclose(np.einsum("i,ika,ikb->ab", weights, s, s), np.eye(3), atol=1e-10)


def test_the_operator_r_of_a_minimiser_has_the_same_spectrum() -> None:
    """R in the coordinates of displacements is the derivative of the particles' velocity where the residual is zero."""
    teacher = wl.Particles(_RNG.normal(size=(4, 4)), [0.1, 0.2, 0.3, 0.4])
    unit, x = wl.units.Neuron(wl.activations.tanh), _RNG.normal(size=(9, 2))
    empty = wl.Problem(unit, wl.data.Samples(x, np.zeros(9)))
    problem = wl.Problem(unit, wl.data.Samples(x, empty.predict(teacher, x)))

    def drift(rows: Any) -> Any:
        theta, w = problem.unpack(wl.Particles(rows, teacher.weights))
        return jnp.concatenate([jnp.reshape(g, (4, -1)) for g in problem.variation(theta, w).gradient], axis=1)

    matrix = np.asarray(jax.jacrev(drift)(teacher.positions)).reshape(16, 16)
    # grad psi's derivative carries each particle's own weight only once: R = grad . P K rho.
    values = np.sort(np.linalg.eigvals(matrix).real)[::-1]
    found = decompose(problem, teacher, trainable=None, who="test")
    np.testing.assert_allclose(values[:9], found.eigenvalues[:9], atol=1e-12 * values[0])


@pytest.mark.parametrize("trainable", [("c",), ("h",), None])
def test_knots_against_the_kernel_36(trainable: Any) -> None:
    """J J^T has entries that `Spline.kernel` and its derivatives give in closed form."""
    problem = spline(lower=-0.3, upper=1.2)
    c, h = _RNG.normal(size=6), np.array([-0.8, -0.2, 0.1, 0.1, 0.6, 1.4])
    w = _RNG.dirichlet(np.ones(6))
    found = decompose(problem, wl.Particles(np.stack([c, h], 1), w), trainable=trainable, who="test")
    k, own = problem.integrals.spline("test"), h[:, None]
    cc = np.asarray(k.kernel(own, h))
    hc = c[:, None] * np.asarray(k.kernel_slope(own, h))
    hh = np.outer(c, c) * np.asarray(k.kernel_mixed(own, h))
    names = trainable or ("c", "h")
    blocks = {("c", "c"): cc, ("h", "c"): hc, ("c", "h"): hc.T, ("h", "h"): hh}
    dense = np.block([[blocks[a, b] for b in names] for a in names])
    root = np.sqrt(np.tile(w, len(names)))
    values = np.linalg.eigvalsh(root[:, None] * dense * root)[::-1][: len(found.singular)]
    np.testing.assert_allclose(found.eigenvalues, values, atol=1e-13 * values[0])
    assert found.resolved == len(found.singular)


def test_many_knots_are_held_by_polynomials() -> None:
    problem = spline()
    rows = np.stack([np.ones(600), np.linspace(0.0, 1.0, 600) ** 2], 1)
    dense = np.asarray(problem.integrals.spline("test").kernel(rows[:, 1:], rows[:, 1])) / 600
    found = decompose(problem, wl.Particles(rows), trainable=("c",), who="test")
    assert len(found.singular) < 200
    # Of a function that is polynomial between 600 knots, what the first 128 degrees miss.
    np.testing.assert_allclose(found.eigenvalues[:8], np.linalg.eigvalsh(dense)[::-1][:8], rtol=5e-8)


@pytest.mark.parametrize(
    "law",
    [
        LAWS.product(c=LAWS.Normal(0.5, 2.0), h=LAWS.Uniform(-0.4, 0.7)),
        LAWS.product(c=LAWS.Uniform(-1.0, 2.0), h=LAWS.Mixture([LAWS.Atom(0.25), LAWS.Normal(0.5, 0.1)], [0.4, 0.6])),
        LAWS.Mixture(
            [
                LAWS.product(c=LAWS.Atom(2.0), h=LAWS.Uniform(0.5, 1.5)),
                LAWS.product(c=LAWS.Empirical([[-1.0], [3.0]]), h=LAWS.Atom(-0.5)),
            ],
            [0.7, 0.3],
        ),
        LAWS.Normal([1.0, 0.4], [0.5, 0.2], dim=2),
    ],
)
@pytest.mark.slow
def test_laws_against_fine_quantisations(law: Any) -> None:
    problem = spline()
    exact = decompose(problem, law, trainable=None, who="test")
    # Well-spread points in the plane: a quarter of a per cent for these laws.
    fine = law.quantise(2**14)
    coarse = decompose(problem, fine, trainable=None, who="test")
    np.testing.assert_allclose(exact.eigenvalues[:4], coarse.eigenvalues[:4], rtol=1e-2)
    # The law's own nodes give mass 1, its mean and its second moments.
    rows, w = np.asarray(exact.measure.positions), np.asarray(exact.measure.weights)
    assert w.sum() == pytest.approx(1.0, abs=1e-13)
    sample = np.asarray(fine.positions)
    np.testing.assert_allclose(w @ rows, sample.mean(axis=0), atol=2e-3)
    np.testing.assert_allclose(w @ rows**2, (sample**2).mean(axis=0), rtol=5e-3)


def test_the_trace_of_a_mixed_law() -> None:
    """SUM zeta_k = E[K(h, h)], by adaptive quadrature over h."""
    h = LAWS.Mixture([LAWS.Atom(0.25), LAWS.Normal(0.5, 0.1)], [0.4, 0.6])
    found = decompose(spline(), LAWS.product(c=LAWS.Uniform(-1.0, 2.0), h=h), trainable="c", who="test")

    def inside(h: float) -> float:
        return max(1.0 - h, 0.0) ** 3 / 3 if h >= 0 else 1 / 3 - h + h**2

    density = scipy.stats.norm(0.5, 0.1).pdf
    parts = [scipy.integrate.quad(lambda h: inside(h) * density(h), a, b, epsabs=1e-14)[0] for a, b in _HALVES]
    # The sum is cut after some 200 polynomials; SUM_(k > 100) (pi k)^-4 = 3e-9 of zeta_0 = 0.08.
    assert np.sum(found.eigenvalues) == pytest.approx(0.4 * inside(0.25) + 0.6 * sum(parts), rel=3e-8)


# Where a normal law of mean 1/2 and deviation 1/10 lives, cut where the integrand bends.
_HALVES = ((-0.4, 0.0), (0.0, 0.5), (0.5, 1.0), (1.0, 1.4))


class _Cauchy(wl.laws.AbstractLaw):
    shape: tuple[int, ...] = ()
    blocks: Any = ()

    @property
    def cube_dim(self) -> int:
        return 1

    @property
    def n_atoms(self) -> None:
        return None

    def draw(self, n: int, key: Any) -> Any:
        return jax.random.cauchy(key, (n, 1))

    def from_cube(self, u: Any) -> Any:
        return np.tan(np.pi * (np.clip(u, 1e-16, 1 - 1e-16) - 0.5))

    def gauss(self, n: int) -> Any:
        raise ValueError("no Gauss rule")

    def box_probability(self, lower: Any, upper: Any) -> Any:
        raise ValueError("none")

    def log_density(self, x: Any) -> Any:
        return -jnp.log(jnp.pi * (1.0 + x[:, 0] ** 2))


def test_what_has_no_linear_theory() -> None:
    def refused(match: str, problem: wl.Problem, measure: Any, trainable: Any = None) -> None:
        with pytest.raises(ValueError, match=match):
            decompose(problem, measure, trainable=trainable, who="test")

    tanh, data = wl.units.Neuron(wl.activations.tanh), wl.data.Samples(_RNG.normal(size=(3, 2)), np.ones(3))
    rho = wl.Particles(np.ones((2, 4)))
    refused("only a squared loss", wl.Problem(tanh, data, wl.losses.huber()), rho)
    refused("no penalty", wl.Problem(tanh, data, penalty=wl.penalties.l2(0.1)), rho)
    refused("no walls", wl.Problem(tanh, data, domain=wl.domains.Box(-9.0, 9.0)), rho)
    refused("quantise", wl.Problem(tanh, data), LAWS.Normal(0.0, 1.0, dim=4))
    refused("has no block 'z'; it has c, h", spline(), LAWS.Uniform(0.0, 1.0, dim=2), ("z",))
    refused(
        "diverges: the law _Cauchy has no second moment", spline(), LAWS.product(c=_Cauchy(), h=LAWS.Uniform(0.0, 1.0))
    )
    refused("not integrated exactly", spline(), LAWS.product(c=LAWS.Atom(1.0), h=LAWS.Chi(3)))
    refused("columns", spline(), LAWS.Uniform(0.0, 1.0))
    root = wl.units.Function(lambda t, x: jnp.sqrt(jnp.abs(t.a - x[0])), columns=["a"])
    refused(
        r"diverges: INT \|d phi/d a\|\^2 dmu is not finite at particle 1",
        wl.Problem(root, wl.data.Samples([0.0, 0.5], [1.0, 1.0])),
        wl.Particles([[0.2], [0.5]]),
    )
    refused(
        "fewer particles",
        wl.Problem(tanh, wl.data.Samples(np.ones((5000, 2)), np.ones(5000))),
        wl.Particles(np.ones((9000, 4))),
    )
    with pytest.raises(ValueError, match="output scale"):
        decompose(
            wl.Problem(wl.units.FreeKnot(), spline().data, scale=wl.scales.Power(0.5)),
            LAWS.Uniform(0.0, 1.0, dim=2),
            trainable=None,
            who="test",
        )
