"""Random-feature and tangent kernels of laws: closed forms from papers, brute force over the law, shapes, bad input."""

import itertools

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
from jaxtyping import Array, Float

import widelimit as wl
from widelimit import laws
from widelimit.kernels import neural_tangent, random_features, tangent_kernel
from widelimit.theory import williams2019 as theory

RELU = wl.units.Neuron(wl.activations.relu)
TANH = wl.units.Neuron(wl.activations.tanh)
LEAKY = wl.units.Neuron(wl.activations.leaky_relu(-0.3))
SIGNS = laws.Empirical(np.array([[-1.0], [1.0]]))
X, Z = np.array([-1.3, -0.4, 0.0, 0.3, 0.9]), np.array([-2.0, -0.4, 0.5, 1.1])


def pair(weight: laws.AbstractLaw, bias: laws.AbstractLaw | None = None) -> laws.Product:
    return laws.product(weight=weight) if bias is None else laws.product(weight=weight, bias=bias)


def with_output(output: laws.AbstractLaw, law: laws.AbstractLaw) -> laws.Product:
    return laws.product(output=output, **{block.name: f for block, f in zip(law.blocks, law.factors, strict=True)})


def grid(law: laws.AbstractLaw, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Midpoints of [n] cells of equal length between the ends of the density."""
    edges = law.line().edges
    places = edges[0] + (edges[-1] - edges[0]) * (np.arange(n) + 0.5) / n
    mass = law.line().density(places)
    return places[:, None], mass / mass.sum()


def brute(unit: wl.units.AbstractUnit, law: laws.AbstractLaw, x: np.ndarray, z: np.ndarray, n: int) -> np.ndarray:
    """[2, n, m]: random features and, at an output weight of 1, the tangent kernel, by a grid of n a number."""
    columns = [part.gauss(1) if part.n_atoms else grid(part, n) for part in law.marginals()]
    rows = np.array(list(itertools.product(*(places[:, 0] for places, _ in columns))))
    mass = np.array(list(map(np.prod, itertools.product(*(weights for _, weights in columns)))))
    rows = np.concatenate([np.ones((len(rows), 1)), rows], axis=1)
    measure = wl.Particles(rows, mass)
    problem = wl.Problem(unit, wl.data.Samples(np.atleast_2d(x).reshape(len(x), -1), np.zeros(len(x))))
    return np.stack([tangent_kernel(problem, measure, x, z, trainable=t) for t in (("output",), None)])


# --- closed forms of the paper


@pytest.mark.parametrize("bias", [laws.Normal(0.0, 0.7), laws.Gaussian(0.0, 0.49)])
def test_normal_weights_are_the_radial_kernel(bias):
    kernel = random_features(RELU, pair(laws.Normal(0.0, 0.7), bias))
    assert kernel.closed
    x, z = X[:, None], Z[None, :]
    np.testing.assert_allclose(kernel(X, Z), theory.radial_kernel(x, z, 2 * 0.49), rtol=1e-14, atol=1e-15)
    tangent = neural_tangent(RELU, laws.product(output=laws.Uniform(0.0, 3.0), weight=laws.Normal(0.0, 0.7), bias=bias))
    wanted = theory.tangent(theory.radial_kernel(x, z, 2 * 0.49), theory.radial_steps(x, z), x, z, 3.0)
    np.testing.assert_allclose(tangent(X, Z), wanted, rtol=1e-14, atol=1e-15)


def test_any_radial_law_has_the_radial_kernel():
    """A circle, and a mixture of circles: C = E[a^2 + b^2] is all that is seen."""
    circle = random_features(RELU, laws.Sphere(2, 1.5))
    np.testing.assert_allclose(circle(X, Z), theory.radial_kernel(X[:, None], Z, 2.25), rtol=1e-14, atol=1e-15)
    both = random_features(RELU, laws.Mixture([laws.Sphere(2, 1.5), laws.Normal(0.0, 1.0, dim=2)], [0.25, 0.75]))
    np.testing.assert_allclose(both(X, Z), theory.radial_kernel(X[:, None], Z, 2.0625), rtol=1e-14, atol=1e-15)


def test_uniform_bias():
    places, mass, ends = np.array([-1.5, -0.2, 0.0, 1.0]), np.array([0.1, 0.2, 0.3, 0.4]), (-0.3, 1.2)
    law = laws.product(weight=laws.Empirical(places[:, None], mass), bias=laws.Uniform(*ends))
    kernel = random_features(RELU, law)
    x, z = X[:, None], Z[None, :]
    # The paper's b is minus the bias.
    wanted = theory.uniform_bias_kernel(x, z, places, mass, (-ends[1], -ends[0]))
    np.testing.assert_allclose(kernel(X, Z), wanted, rtol=1e-13, atol=1e-15)
    steps = theory.uniform_bias_steps(x, z, places, mass, (-ends[1], -ends[0]))
    tangent = neural_tangent(RELU, with_output(laws.Normal(1.0, 2.0), law))
    np.testing.assert_allclose(tangent(X, Z), theory.tangent(wanted, steps, x, z, 5.0), rtol=1e-13, atol=1e-15)


def test_two_signs_and_the_box():
    inside = np.array([-0.95, -0.2, 0.0, 0.4, 1.0])
    x, z = inside[:, None], inside[None, :]
    signs = random_features(RELU, pair(SIGNS, laws.Uniform(-1.2, 1.2)))
    np.testing.assert_allclose(signs(inside, inside), theory.two_sign_kernel(x, z, 1.2), rtol=1e-13)
    box = random_features(RELU, pair(laws.Uniform(-1.0, 1.0), laws.Uniform(-1.0, 1.0)))
    assert box.closed
    np.testing.assert_allclose(box(inside, inside), theory.box_kernel(x, z), rtol=1e-13)


def test_a_weight_vector():
    """Normal weights in three dimensions with and without a bias, against the normal law of (z, z') itself."""
    rng = np.random.default_rng(0)
    root = rng.normal(size=(3, 3))
    x, z = rng.normal(size=(4, 3)), np.concatenate([rng.normal(size=(2, 3)), np.zeros((1, 3))])
    unit = wl.units.Neuron(wl.activations.relu, bias=False)
    kernel = random_features(unit, laws.Gaussian(np.zeros(3), root @ root.T))
    assert kernel.inputs == 3
    for u, v in itertools.product(range(4), range(3)):
        a, b = x[u] @ root, z[v] @ root
        assert float(kernel(x, z)[u, v]) == pytest.approx(planar(a, b), abs=1e-12)
    with_bias = random_features(RELU, pair(laws.Normal(0.0, 0.5, dim=3), laws.Normal(0.0, 2.0)))
    a, b = np.append(0.5 * x[1], 2.0), np.append(0.5 * z[1], 2.0)
    assert float(with_bias(x[1:2], z[1:2])[0, 0]) == pytest.approx(planar(a, b), abs=1e-12)


def planar(a: np.ndarray, b: np.ndarray) -> float:
    """E (g.a)_+ (g.b)_+ for a standard normal g: E r^2 = 2 in the plane of a and b, times a mean over angles."""
    sizes = np.linalg.norm(a) * np.linalg.norm(b)
    if sizes == 0.0:
        return 0.0
    angle = np.arccos(np.clip(a @ b / sizes, -1.0, 1.0))
    t, v = np.polynomial.legendre.leggauss(30)
    # Both are positive between angle - pi/2 and pi/2.
    low, high = angle - np.pi / 2, np.pi / 2
    s = 0.5 * (low + high) + 0.5 * (high - low) * t
    return float(sizes * 2.0 * 0.5 * (high - low) * np.sum(v * np.cos(s) * np.cos(s - angle)) / (2.0 * np.pi))


def test_a_sphere_of_weights_with_a_bias_of_zero():
    law = pair(laws.Sphere(3, 2.0), laws.Atom(0.0))
    x = np.random.default_rng(1).normal(size=(3, 3))
    normal = pair(laws.Normal(0.0, (4 / 3) ** 0.5, dim=3), laws.Atom(0.0))
    kernel, centred = random_features(RELU, law), random_features(RELU, normal)
    assert kernel.closed
    np.testing.assert_allclose(kernel(x, x), centred(x, x), rtol=1e-13)
    tangent = neural_tangent(RELU, with_output(laws.Atom(2.0), law))
    sizes = np.linalg.norm(x, axis=1)
    # On the diagonal |w.x|^2/2 + E c^2 (|x|^2 + 1)/2, with E |w.x|^2 = |x|^2 4/3.
    np.testing.assert_allclose(np.diag(tangent(x, x)), sizes**2 * 2 / 3 + 2.0 * (sizes**2 + 1.0), rtol=1e-13)


# --- one input, any law with a density: against midpoints, whose error is O(1/n^2)

ONE = {
    "normal, uniform": pair(laws.Normal(0.2, 0.8), laws.Uniform(-0.5, 1.0)),
    "uniform, normal": pair(laws.Uniform(-0.5, 1.5), laws.Normal(0.3, 0.6)),
    "normal, off centre": pair(laws.Normal(0.5, 1.0), laws.Normal(-0.3, 0.5)),
    "uniform, atoms": pair(laws.Uniform(-1.0, 2.0), laws.Empirical(np.array([[-0.4], [0.0], [1.0]]), [0.2, 0.3, 0.5])),
    "normal, no bias moves": pair(laws.Normal(0.3, 1.0), laws.Atom(0.25)),
    "centred normal, one bias": pair(laws.Normal(0.0, 1.0), laws.Atom(0.25)),
    "centred normal, bias 0": pair(laws.Normal(0.0, 1.0), laws.Atom(0.0)),
    "atoms, normal": pair(SIGNS, laws.Normal(0.2, 0.7)),
    "atoms, atoms": pair(SIGNS, laws.Empirical(np.array([[-0.4], [0.6]]))),
    "mixture": pair(laws.Mixture([laws.Normal(0.0, 1.0), laws.Atom(2.0)], [0.5, 0.5]), laws.Uniform(-1.0, 1.0)),
}
STEEP = ("normal, off centre", "mixture")

# Another slope changes no branch of a law: it is quick with two of them.
BOTH = [
    pytest.param(name, unit, id=f"{name}-{label}", marks=() if label == "relu" or name in STEEP else pytest.mark.slow)
    for name in ONE
    for label, unit in (("relu", RELU), ("leaky", LEAKY))
]


@pytest.mark.first(1)
@pytest.mark.parametrize(("name", "unit"), BOTH)
def test_one_input(name: str, unit: wl.units.AbstractUnit):
    law = ONE[name]
    features, tangent = random_features(unit, law), neural_tangent(unit, with_output(laws.Atom(-1.0), law))
    assert features.closed
    assert tangent.closed
    dense = max(sum(part.n_atoms is None for part in each.marginals()) for _, each in law.components())
    n, steps = (300, 2e-2) if dense == 2 else (30_000, 1e-3)
    wanted = np.sum([p * brute(unit, part, X, Z, n) for p, part in law.components()], axis=0)
    # Cells of 18/n standard deviations: (h^2/24) of a bend of 1; a step is off by a cell, weighted by up to 1 + 2.6.
    np.testing.assert_allclose(features(X, Z), wanted[0], atol=2e-4)
    np.testing.assert_allclose(tangent(X, Z), wanted[1], atol=steps)


def test_rounding_is_what_is_said():
    """Normal weights, uniform bias, by 30 digits: E_b in closed form, the weight by quadrature of high order."""
    law = pair(laws.Normal(0.2, 0.8), laws.Uniform(-0.5, 1.0))
    kernel, tangent = random_features(RELU, law), neural_tangent(RELU, with_output(laws.Normal(0.0, 3.0), law))
    for x, z in [(0.7, -0.4), (3.0, 2.5), (0.05, 0.0), (0.0, 0.0), (-40.0, 37.0)]:
        exact, steps = normal_by_uniform(x, z)
        assert abs(float(kernel(x, z)) - exact) <= float(kernel.error(x, z))
        assert float(kernel.error(x, z)) < 1e-12 * float(kernel(x, x) * kernel(z, z)) ** 0.5
        assert abs(float(tangent(x, z)) - exact - 9.0 * (x * z + 1.0) * steps) <= float(tangent.error(x, z))


def normal_by_uniform(x: float, z: float) -> list[float]:
    with mpmath.workdps(30):
        low, high, mean, std = map(mpmath.mpf, ("-0.5", "1.0", "0.2", "0.8"))

        def cubes(v, apart):
            v = max(v, mpmath.mpf(0))
            return v**2 * (2 * v + 3 * apart) / 6

        def values(a):
            least, apart = min(a * x, a * z), abs(a * x - a * z)
            return (cubes(least + high, apart) - cubes(least + low, apart)) / (high - low)

        def steps(a):
            return min(max((min(a * x, a * z) + high) / (high - low), 0), 1)

        cuts = [-b / p for b in (low, high) for p in (x, z) if p != 0.0]
        ends = sorted({mean - 10 * std, mean + 10 * std, mpmath.mpf(0), mean, *(c for c in cuts if abs(c) < 8)})
        return [float(mpmath.quad(lambda a, f=f: f(a) * mpmath.npdf(a, mean, std), ends)) for f in (values, steps)]


def test_a_free_knot():
    """c (x - h)_+ with h uniform on [0, 1]: m^2 (3 M - m)/6 for knots below both (yarotsky2018)."""
    x = np.array([-0.2, 0.1, 0.6, 1.0])
    kernel = random_features(wl.units.FreeKnot(), laws.product(h=laws.Uniform(0.0, 1.0)))
    low, high = (np.clip(f(x[:, None], x), 0.0, None) for f in (np.minimum, np.maximum))
    np.testing.assert_allclose(kernel(x, x), low**2 * (3 * high - low) / 6, rtol=1e-14, atol=1e-16)
    tangent = neural_tangent(wl.units.FreeKnot(), laws.product(c=laws.Normal(0.0, 3.0), h=laws.Uniform(0.0, 1.0)))
    np.testing.assert_allclose(tangent(x, x), kernel(x, x) + 9.0 * low, rtol=1e-14, atol=1e-16)


def test_particles_approach_it():
    """A hundred thousand neurons in two dimensions: within five standard errors, which are found from batches."""
    law = laws.product(output=laws.Uniform(-1.0, 1.0), weight=laws.Normal(0.0, 1.0, dim=2), bias=laws.Normal(0.0, 1.0))
    x = np.array([[0.3, -1.0], [0.7, 0.2]])
    problem = wl.Problem(RELU, wl.data.Samples(x, np.zeros(2)))
    batches = np.stack([tangent_kernel(problem, law.sample(5000, key=jax.random.key(k)), x) for k in range(20)])
    off = np.abs(neural_tangent(RELU, law)(x, x) - batches.mean(axis=0))
    assert np.all(off < 5.0 * batches.std(axis=0, ddof=1) / 20**0.5)


# --- nodes


def test_a_smooth_unit_by_gauss_nodes():
    unit = TANH
    law = laws.product(output=laws.Normal(0.5, 1.0), weight=laws.Normal(0.0, 1.0), bias=laws.Uniform(-1.0, 1.0))
    kernel, features = neural_tangent(unit, law), random_features(unit, pair(*law.factors[1:]))
    assert not kernel.closed
    # E c^2 = 1.25 for the two inner blocks.
    wanted = brute(unit, pair(*law.factors[1:]), X, Z, 300)
    np.testing.assert_allclose(features(X, Z), wanted[0], atol=1e-5)
    np.testing.assert_allclose(kernel(X, Z), wanted[0] + 1.25 * (wanted[1] - wanted[0]), atol=1e-4)
    assert np.max(features.error(X, Z)) < 1e-6
    assert np.max(kernel.error(X, Z)) < 1e-4
    few = neural_tangent(unit, law, nodes=100)
    off = np.abs(few(X, Z) - kernel(X, Z))
    assert np.all(off < 2.0 * np.asarray(few.error(X, Z)) + 1e-3)
    assert np.max(few.error(X, Z)) < 20.0 * np.max(off)


@pytest.mark.slow
def test_a_kinked_unit_by_sobol_points():
    """The error that is stated against the truth (midpoints, whose own error is smaller by far)."""
    unit = wl.units.Neuron(wl.activations.piecewise_linear([-1.0, 0.5], [-2.0, 1.0]))
    law = pair(laws.Uniform(-1.0, 1.0), laws.Uniform(-1.0, 1.0))
    kernel = random_features(unit, law)
    off = np.abs(kernel(X, Z) - brute(unit, law, X, Z, 400)[0])
    stated = np.asarray(kernel.error(X, Z))
    assert np.all(off < 2.0 * stated + 1e-6)
    assert np.max(stated) < 1e-3
    less = random_features(unit, law, nodes=64)
    assert np.mean(less.error(X, Z)) > 10.0 * np.mean(stated)


def test_up_to_four_parameters_are_a_tensor_of_nodes():
    """Two sets of Gauss nodes, one to check the other; else eight of Sobol points."""
    for inputs, sets in [(3, 2), (4, 8)]:
        kernel = random_features(TANH, laws.Normal(0.0, 1.0, dim=inputs + 1), nodes=2**10)
        assert len(kernel.parts[0][1].sets) == sets


def test_all_atoms_are_exact():
    rng = np.random.default_rng(3)
    rows = rng.normal(size=(7, 3))
    law = laws.Empirical(rows, blocks=RELU.blocks(1, ()))
    problem = wl.Problem(RELU, wl.data.Samples(X, np.zeros(5)))
    kernel = neural_tangent(RELU, law)
    assert kernel.closed
    np.testing.assert_allclose(kernel(X, Z), tangent_kernel(problem, law.quantise(7), X, Z), rtol=1e-13)


@pytest.mark.slow
def test_large_sums_go_in_pieces():
    """Five thousand weights on 30 x 20 pairs, and as many neurons: ten times what one piece may hold."""
    rng = np.random.default_rng(5)
    places, mass = rng.normal(size=(5000, 1)), rng.dirichlet(np.ones(5000))
    x, z = rng.uniform(-1.0, 1.0, 30), rng.uniform(-1.0, 1.0, 20)
    law = pair(laws.Empirical(places, mass), laws.Uniform(-1.0, 1.0))
    wanted = theory.uniform_bias_kernel(x[:, None], z, places[:, 0], mass, (-1.0, 1.0))
    np.testing.assert_allclose(random_features(RELU, law)(x, z), wanted, rtol=1e-11)
    rows = np.concatenate([places, rng.normal(size=(5000, 2))], axis=1)
    neurons = laws.Empirical(rows, mass, blocks=RELU.blocks(1, ()))
    problem = wl.Problem(RELU, wl.data.Samples(x, np.zeros(30)))
    wanted = tangent_kernel(problem, wl.Particles(rows, mass), x, z)
    kernel = neural_tangent(RELU, neurons)
    np.testing.assert_allclose(kernel(x, z), wanted, rtol=1e-10, atol=1e-14)
    # All atoms are no estimate: the error is rounding.
    sizes = np.sqrt(np.diag(kernel(x, x))[:, None] * np.diag(kernel(z, z)))
    np.testing.assert_allclose(kernel.error(x, z), 64.0 * np.finfo(float).eps * sizes, rtol=1e-10)


def test_blocks_in_another_order():
    law = laws.product(bias=laws.Uniform(-0.5, 1.0), weight=laws.Normal(0.2, 0.8))
    plain = random_features(RELU, ONE["normal, uniform"])
    np.testing.assert_allclose(random_features(RELU, law)(X, Z), plain(X, Z), rtol=1e-14)
    smooth = TANH
    ways = [random_features(smooth, each) for each in (law, ONE["normal, uniform"])]
    np.testing.assert_allclose(ways[0](X, Z), ways[1](X, Z), rtol=1e-12)
    skew = laws.product(bias=laws.Normal(0.0, 3.0), weight=laws.Normal(0.0, 1.0))
    straight = laws.product(weight=laws.Normal(0.0, 1.0), bias=laws.Normal(0.0, 3.0))
    np.testing.assert_allclose(random_features(RELU, skew)(X, Z), random_features(RELU, straight)(X, Z), rtol=1e-13)


def test_a_function_of_any_inputs():
    unit = wl.units.Function(lambda theta, x: theta.a * jnp.sin(theta.k * jnp.sum(x)), columns=["a", "k"], linear="a")
    kernel = random_features(unit, laws.product(k=laws.Normal(0.0, 1.0)))
    assert kernel.inputs is None
    x, z = 0.7, -0.4
    # E sin(k x) sin(k z) = (e^(-(x - z)^2/2) - e^(-(x + z)^2/2))/2.
    wanted = 0.5 * (np.exp(-0.5 * (x - z) ** 2) - np.exp(-0.5 * (x + z) ** 2))
    assert float(kernel(x, z)) == pytest.approx(wanted, abs=1e-12)
    assert float(kernel([[0.3, 0.4]], [[-0.4, 0.0]])[0, 0]) == pytest.approx(wanted, abs=1e-12)


# --- calls


def test_shapes():
    kernel = random_features(RELU, pair(SIGNS, laws.Uniform(-1.0, 1.0)))
    table = np.asarray(kernel(X, Z))
    assert table.shape == (5, 4)
    assert kernel(0.3, 0.5).shape == ()
    np.testing.assert_array_equal(kernel(X[:, None], Z[:, None]), table)
    np.testing.assert_array_equal(kernel(X[3], Z), table[3])
    np.testing.assert_array_equal(kernel(X, Z[1]), table[:, 1])
    assert kernel.error(X, Z[1]).shape == (5,)
    assert kernel.inputs == 1
    plane = random_features(RELU, laws.Normal(0.0, 1.0, dim=3))
    assert plane.inputs == 2
    assert plane(np.zeros((3, 2)), np.ones((2, 2))).shape == (3, 2)


def test_it_can_be_differentiated():
    """K'' in one argument is nu_+ (z - x)_+ + nu_- (x - z)_+, 1/4 each for two signs and b uniform on (-1, 1)."""
    kernel = random_features(RELU, pair(SIGNS, laws.Uniform(-1.0, 1.0)))
    second = jax.grad(jax.grad(lambda x, z: kernel(x, z)))
    for x, z in [(0.3, 0.7), (0.3, -0.5), (-0.2, 0.1)]:
        assert float(second(x, z)) == pytest.approx(0.25 * abs(z - x), abs=1e-13)
    others = [random_features(RELU, law) for law in (laws.Normal(0.0, 1.0, dim=2), ONE["normal, uniform"])]
    for each in (kernel, *others):
        for x, z in [(0.4, 0.4), (0.0, 0.3), (0.0, 0.0)]:
            slope = jax.grad(lambda x, z=z, each=each: each(x, z))(x)
            # Exact to the square of the step; K is smooth to the second order.
            near = (each(x + 1e-4, z) - each(x - 1e-4, z)) / 2e-4
            assert float(slope) == pytest.approx(float(near), abs=1e-4)


# --- bad input


class Wide(laws.AbstractLaw):
    """A Cauchy law: no moments."""

    shape: tuple[int, ...] = ()

    def draw(self, n, key) -> Float[Array, "n D"]:
        return jax.random.cauchy(key, (n, 1))

    def from_cube(self, u):
        return np.tan(np.pi * (u - 0.5))


class Bounded(laws.AbstractLaw):
    """Half the two points -1 and 1, and no map from the cube."""

    shape: tuple[int, ...] = ()

    def draw(self, n, key) -> Float[Array, "n D"]:
        return jax.random.rademacher(key, (n, 1), float)

    def mean(self):
        return jnp.zeros(1)

    def covariance(self):
        return jnp.ones((1, 1))


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: random_features(RELU, pair(Wide(), laws.Uniform(-1.0, 1.0))), "second moments"),
        (lambda: neural_tangent(TANH, with_output(Wide(), pair(SIGNS, SIGNS))), "second moments"),
        (lambda: random_features(RELU, laws.Mixture([pair(SIGNS, Wide()), pair(SIGNS, SIGNS)], [0.5, 0.5])), "moments"),
        (lambda: random_features(RELU, laws.product(weight=SIGNS)), "needs a law of weight"),
        (lambda: random_features(RELU, laws.Normal(0.0, 1.0)), "needs a law of weight"),
        (lambda: neural_tangent(RELU, pair(SIGNS, SIGNS)), "needs a law of output"),
        (lambda: random_features(RELU, SIGNS.quantise(2)), "must be a law"),
        (lambda: random_features(wl.activations.relu, pair(SIGNS, SIGNS)), "must be a unit"),
        (lambda: random_features(RELU, pair(Bounded(), laws.Uniform(0.0, 1.0))), "no map from the unit cube"),
        (lambda: random_features(RELU, pair(SIGNS, SIGNS), nodes=2), "at least 16"),
        (lambda: random_features(wl.units.FreeKnot(), laws.Normal(0.0, 1.0, dim=2)), "needs a law of h"),
        (
            lambda: random_features(RELU, pair(SIGNS, SIGNS))(np.zeros((2, 2)), 0.0),
            r"kernel\(x=...\): expected a number, \[n\] or",
        ),
        (lambda: random_features(RELU, pair(SIGNS, SIGNS))(0.0, [np.nan]), "must be finite"),
        (lambda: random_features(RELU, laws.Normal(0.0, 1.0, dim=3))([0.0, 1.0], [[0.0, 1.0]]), r"expected \[n, 2\]"),
    ],
)
def test_bad_input(build, words):
    with pytest.raises(ValueError, match=words):
        build()


@pytest.mark.slow
def test_bounded_features_need_no_moments():
    kernel = random_features(TANH, pair(Wide(), laws.Atom(0.5)), nodes=2**12)
    assert 0.0 < float(kernel(0.3, 0.4)) < 1.0
