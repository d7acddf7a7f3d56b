"""Theorem 5 and Corollary 6 against interpolants, the paper's closed forms and each other; splines."""

import math

import jax.numpy as jnp
import numpy as np
import pytest

import widelimit as wl
from widelimit import laws
from widelimit.kernels import (
    cubic_pieces,
    interpolate,
    natural_spline_distance,
    neural_tangent,
    neural_tangent_norm,
    random_feature_norm,
    random_features,
)
from widelimit.theory import williams2019 as theory

RELU = wl.units.Neuron(wl.activations.relu)
SIGNS = laws.Empirical(np.array([[-1.0], [1.0]]))
X, Y = np.array([-0.6, 0.1, 0.5, 0.9]), np.array([1.0, -0.5, 0.2, 0.7])


def pair(weight: laws.AbstractLaw, bias: laws.AbstractLaw) -> laws.Product:
    return laws.product(weight=weight, bias=bias)


def triple(output: laws.AbstractLaw, weight: laws.AbstractLaw, bias: laws.AbstractLaw) -> laws.Product:
    return laws.product(output=output, weight=weight, bias=bias)


LAWS = {
    "two signs": pair(SIGNS, laws.Uniform(-1.0, 1.0)),
    "one sign": pair(laws.Atom(1.0), laws.Uniform(-1.0, 1.0)),
    "other sign": pair(laws.Atom(-2.0), laws.Uniform(-1.0, 2.0)),
    "constant neurons": pair(laws.Empirical(np.array([[0.0], [-1.0], [2.0]])), laws.Uniform(-1.0, 1.5)),
    "box": pair(laws.Uniform(-1.0, 1.0), laws.Uniform(-1.0, 1.0)),
    "mixture": laws.Mixture(
        [pair(laws.Atom(1.0), laws.Uniform(-1.0, 1.0)), pair(SIGNS, laws.Normal(0.0, 0.5))], [0.5, 0.5]
    ),
    "unnamed": laws.Uniform(np.array([0.5, -1.0]), np.array([2.0, 1.0]), dim=2),
}
SLOW = {
    "normal bias": pair(SIGNS, laws.Normal(0.2, 0.5)),
    "normal": pair(laws.Normal(0.2, 0.7), laws.Normal(0.0, 0.6)),
    "normal weight": pair(laws.Normal(0.2, 0.7), laws.Uniform(-1.0, 1.5)),
}


def check_interpolant(law: laws.AbstractLaw) -> None:
    f = interpolate(random_features(RELU, law), X, Y)
    for ends in [(-0.6, 0.9), (-2.0, 1.5)]:
        norm = random_feature_norm(f, law, lower=ends[0], upper=ends[1], breaks=f.x)
        # Conditions are up to 1e5, quadrature ends at 1e-10.
        assert norm.squared == pytest.approx(float(f.norm_squared), rel=1e-9)


@pytest.mark.first(1)
@pytest.mark.parametrize("name", list(LAWS))
def test_an_interpolant_has_its_own_norm(name):
    """|f|^2 = y^T K^-1 y on every interval that holds the samples: f is the least extension."""
    check_interpolant(LAWS[name])


@pytest.mark.slow
@pytest.mark.parametrize("name", list(SLOW))
def test_an_interpolant_has_its_own_norm_too(name):
    check_interpolant(SLOW[name])


def test_the_paper_on_the_whole_line():
    """The cosine against adaptive quadrature, beyond all knots: there the interval does not matter."""
    a, q = np.array([-1.0, 0.5]), np.array([0.4, 0.6])
    law = pair(laws.Empirical(a[:, None], q), laws.Uniform(-1.0, 1.0))

    def density(b):
        return 0.5 if -1.0 < b < 1.0 else 0.0

    def cosine(x):
        return np.cos(np.clip(x, -2.0, 2.0)) - np.sin(2.0) * max(abs(x) - 2.0, 0.0)

    # The bias is uniform and even: the paper's sign of b does not show.
    wanted = theory.curvature_norm(cosine, lambda u: -np.cos(u), (-0.5, 0.6), a, q, density, (-1.0, 1.0))
    found = random_feature_norm(jnp.cos, law, lower=-2.0, upper=2.0)
    assert found.squared == pytest.approx(wanted, rel=1e-8)
    assert found.line > 0.0
    assert found.squared == found.bent + found.line
    # A shorter interval asks for less.
    assert random_feature_norm(jnp.cos, law, lower=-1.0, upper=1.0).squared < found.squared


def test_lines():
    """With two signs and b uniform on (-B, B): M on (-B, B) is INT (1, -u)(1, -u)^T/(8 B) = diag(1/4, B^2/12)."""
    law = pair(SIGNS, laws.Uniform(-1.5, 1.5))
    norm = random_feature_norm(lambda x: 2.0 * x - 3.0, law, lower=-1.5, upper=1.5)
    assert norm.bent == pytest.approx(0.0, abs=1e-20)
    assert norm.line == pytest.approx(4.0 * 4.0 + 9.0 * 12.0 / 2.25, rel=1e-12)


def test_what_is_outside_of_the_space():
    """With a > 0 alone: f = f' = 0 at the left end of the knots; and no bend where there are none."""
    law = pair(laws.Atom(1.0), laws.Uniform(-1.0, 1.0))
    assert random_feature_norm(lambda x: (x + 1.0) ** 2, law, lower=-1.0, upper=1.0).squared == pytest.approx(16.0)
    for f in (lambda x: x + 1.0, lambda x: (x + 1.0) ** 2 + 1.0):
        assert random_feature_norm(f, law, lower=-1.0, upper=1.0).squared == math.inf
    assert random_feature_norm(lambda x: (x + 1.0) ** 2, law, lower=-1.0, upper=1.2).squared == math.inf


@pytest.mark.parametrize("scale", [1e-8, 1e8])
def test_the_unit_of_length_does_not_matter(scale):
    """Inputs and biases in another unit: K(x, x') = scale^2 K(x/scale, x'/scale), and the norms follow."""
    law = pair(SIGNS, laws.Uniform(-scale, scale))
    f = interpolate(random_features(RELU, law), scale * X, Y)
    norm = random_feature_norm(f, law, lower=-scale, upper=scale, breaks=f.x)
    assert norm.squared == pytest.approx(float(f.norm_squared), rel=1e-9)
    assert norm.line > 0.01 * norm.bent
    one = pair(laws.Atom(1.0), laws.Uniform(-scale, scale))
    ends = {"lower": -scale, "upper": scale}
    assert random_feature_norm(lambda x: (x / scale + 1.0) ** 2, one, **ends).squared == pytest.approx(16.0 / scale**2)
    assert random_feature_norm(lambda x: x / scale + 1.0, one, **ends).squared == math.inf
    far = {"lower": -scale, "upper": 1.2 * scale}
    assert random_feature_norm(lambda x: (x / scale + 1.0) ** 2, one, **far).squared == math.inf
    parts = (jnp.zeros_like, lambda x: x / scale + 1.0, jnp.zeros_like)
    steps = neural_tangent_norm(parts, triple(laws.Atom(1.0), *one.factors), **ends)
    # INT (1/scale)^2 / (1/(2 scale)) over 2 scale.
    assert steps.squared == pytest.approx(4.0)


def tangent_parts(law, f):
    """f_1, f_2, f_3 of an interpolant f: K_NTK = K_RF + E c^2 (K_1 + x x' K_1)."""
    features = random_features(RELU, pair(*law.factors[1:]))
    kernel, alpha, at = f.kernel, f.coefficients, f.x

    def steps(x):
        return (kernel(x, at) - features(x, at)) / (x * at[:, 0] + 1.0)

    return (
        lambda x: features(x, at) @ alpha,
        lambda x: steps(x) @ alpha,
        lambda x: x * (steps(x) @ (at[:, 0] * alpha)),
    )


TWO = laws.Empirical(np.array([[1.0], [2.0]]), np.array([0.3, 0.7]))
TANGENT = {
    "a > 0": triple(laws.Normal(0.0, 2.0), TWO, laws.Uniform(-1.0, 1.0)),
    "both signs": triple(laws.Uniform(-1.0, 1.0), SIGNS, laws.Uniform(-1.0, 1.2)),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", list(TANGENT))
def test_the_parts_of_a_tangent_interpolant(name):
    """They carry y^T K^-1 y, and no other way to take f apart carries less."""
    law = TANGENT[name]
    f = interpolate(neural_tangent(RELU, law), X, Y)
    parts = tangent_parts(law, f)
    assert float(sum(part(0.3) for part in parts)) == pytest.approx(float(f(0.3)), rel=1e-9)
    ends = {"lower": -0.7, "upper": 0.95, "breaks": f.x}
    best = neural_tangent_norm(parts, law, **ends)
    assert best.squared == pytest.approx(float(f.norm_squared), rel=1e-9)
    first, second, third = parts
    for moved in (
        (lambda x: first(x) + 0.1 * x**3, lambda x: second(x) - 0.1 * x**3, third),
        (first, lambda x: second(x) + 0.05 * x**2, lambda x: third(x) - 0.05 * x**2),
        (lambda x: first(x) - 0.02 * x**2, second, lambda x: third(x) + 0.02 * x**2),
    ):
        assert neural_tangent_norm(moved, law, **ends).squared > best.squared * (1.0 + 1e-6)


def test_corollary_6_against_the_paper():
    """a > 0, functions that vanish to the left of the knots, by adaptive quadrature."""
    law = triple(laws.Normal(0.0, 2.0), TWO, laws.Uniform(-1.0, 1.0))

    def density(b):
        return 0.5 if -1.0 < b < 1.0 else 0.0

    wanted = theory.tangent_norm(
        lambda u: 6.0 * (u + 1.0),
        (lambda u: 3.0, lambda u: 2.0 * u + 1.0),
        lambda u: u * (u + 1.0),
        np.array([1.0, 2.0]),
        np.array([0.3, 0.7]),
        density,
        (-1.0, 1.0),
        4.0,
    )
    functions = (lambda x: (x + 1.0) ** 3, lambda x: 3.0 * (x + 1.0), lambda x: x * (x + 1.0))
    assert neural_tangent_norm(functions, law, lower=-1.0, upper=1.0).squared == pytest.approx(wanted, rel=1e-9)
    # f_3 is x times a function.
    broken = (*functions[:2], lambda x: x + 1.0)
    assert neural_tangent_norm(broken, law, lower=-1.0, upper=1.0).squared == math.inf


def test_the_quotient_at_0_is_a_derivative():
    """f_3 = x has the quotient 1, as f_2 = 1 has; on an interval that begins at 0, too. P(active on (0, 1)) = 1/2."""
    law = triple(laws.Normal(0.0, 2.0), TWO, laws.Uniform(-1.0, 1.0))
    nothing = jnp.zeros_like
    ends = {"lower": 0.0, "upper": 1.0}
    for parts in [(nothing, nothing, lambda x: x), (nothing, jnp.ones_like, nothing)]:
        assert neural_tangent_norm(parts, law, **ends).squared == pytest.approx(1.0 / (4.0 * 0.5), rel=1e-12)


# --- splines


@pytest.mark.parametrize(
    ("law", "wanted"),
    [
        (pair(SIGNS, laws.Uniform(-1.5, 1.5)), [(-1.5, 1.5)]),
        (pair(laws.Uniform(-1.0, 1.0), laws.Uniform(-1.0, 1.0)), [(-1.0, 1.0)]),
        (pair(laws.Uniform(0.5, 2.0), laws.Uniform(-1.0, 1.0)), [(-0.5, 0.5)]),
        (pair(laws.Uniform(0.5, 2.0), laws.Uniform(0.0, 1.0)), [(-0.5, 0.0)]),
        (
            pair(laws.Empirical(np.array([[1.0], [2.0], [0.0]])), laws.Uniform(-1.0, 1.0)),
            [(-1.0, -0.5), (-0.5, 0.5), (0.5, 1.0)],
        ),
        (pair(SIGNS, laws.Normal(0.0, 1.0)), []),
        (pair(laws.Normal(0.0, 1.0), laws.Uniform(-1.0, 1.0)), []),
        (pair(laws.Uniform(1.0, 2.0), laws.Uniform(3.0, 4.0)), []),
        (pair(laws.Uniform(1.0, 1.2), laws.Uniform(3.0, 4.0)), [(-4.0 / 1.2, -3.0)]),
        (pair(laws.Uniform(-1.2, -1.0), laws.Uniform(3.0, 4.0)), [(3.0, 4.0 / 1.2)]),
        (
            laws.Mixture([pair(SIGNS, laws.Uniform(-1.0, 1.0)), pair(SIGNS, laws.Uniform(-1.0, 1.0))], [0.5, 0.5]),
            [(-1.0, 1.0)],
        ),
    ],
)
def test_cubic_pieces(law, wanted):
    np.testing.assert_allclose(cubic_pieces(law), wanted, atol=1e-14)


def test_the_pieces_are_cubics_and_nothing_else_is():
    """Fourth differences between two samples: rounding inside, and not outside, for a and b uniform on (-1, 1)."""
    law = pair(laws.Uniform(-1.0, 1.0), laws.Uniform(-1.0, 1.0))
    f = interpolate(random_features(RELU, law), [-2.0, -1.0, 0.0, 1.0, 2.0], [1.0, 0.0, 2.0, -1.0, 0.5])
    ((low, high),) = cubic_pieces(law)
    for start, cubic in [(low, True), (0.0, True), (high, False)]:
        x = np.linspace(start + 0.05, start + 0.95, 9)
        fourth = np.max(np.abs(np.diff(np.asarray(f(x)), 4)))
        assert (fourth < 1e-12) == cubic


def test_the_natural_spline_is_approached_as_the_bias_widens():
    """The distance falls as 1/B, and is not 0."""
    widths = 2.0 ** np.arange(3, 7)
    found = [
        natural_spline_distance(interpolate(random_features(RELU, pair(SIGNS, laws.Uniform(-b, b))), X[::-1], Y[::-1]))
        for b in widths
    ]
    order = np.polyfit(np.log(widths), np.log(found), 1)[0]
    assert order == pytest.approx(-1.0, abs=0.1)
    assert found[-1] > 1e-4


def test_the_distance_is_that_of_the_two_functions():
    from scipy.interpolate import CubicSpline

    f = interpolate(random_features(RELU, LAWS["two signs"]), X, Y)
    x = np.linspace(X[0], X[-1], 4001)
    far = np.max(np.abs(np.asarray(f(x)) - CubicSpline(X, Y, bc_type="natural")(x)))
    assert natural_spline_distance(f) == pytest.approx(far, rel=1e-2)


# --- bad input


PLANE = laws.product(weight=laws.Normal(0.0, 1.0, dim=2), bias=laws.Uniform(0.0, 1.0))
NO_OUTPUT = triple(laws.Atom(0.0), SIGNS, laws.Uniform(0.0, 1.0))


def norm(law, function=jnp.cos, lower=-0.5, upper=0.5, **more):
    return random_feature_norm(function, law, lower=lower, upper=upper, **more)


def distance(law, x):
    return natural_spline_distance(interpolate(random_features(RELU, law), x, np.ones(len(x))))


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: norm(LAWS["two signs"], jnp.abs), "a kink or a jump"),
        (lambda: norm(LAWS["two signs"], lambda x: jnp.cos(x) + 1e-5 * jnp.abs(x)), "a kink or a jump"),
        (lambda: norm(LAWS["two signs"], lambda x: jnp.abs(x - 0.3) ** 1.5), "does not converge"),
        (lambda: norm(PLANE), "one input"),
        (lambda: norm(pair(SIGNS, SIGNS)), "a density of knots"),
        (lambda: norm(pair(laws.Chi(3), laws.Uniform(0.0, 1.0))), "needs independent"),
        (lambda: norm(laws.Sphere(2)), "needs independent"),
        (lambda: norm(LAWS["box"], lower=1.0, upper=1.0), r"upper=...\): .* above 1"),
        (lambda: norm(LAWS["box"], breaks=[np.nan]), r"breaks=...\): must be finite"),
        (lambda: neural_tangent_norm((jnp.cos,) * 3, LAWS["box"], lower=0.0, upper=1.0), "needs a law of output"),
        (lambda: neural_tangent_norm((jnp.cos,) * 3, NO_OUTPUT, lower=0.0, upper=1.0), "one positive number"),
        (lambda: cubic_pieces(PLANE), "one input"),
        (lambda: distance(LAWS["box"], [0.1]), "two samples"),
        (lambda: distance(laws.Normal(0.0, 1.0, dim=3), np.eye(2)), "one input"),
    ],
)
def test_bad_input(build, words):
    with pytest.raises(ValueError, match=words):
        build()
