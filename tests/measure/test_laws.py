"""Laws: moments against SciPy, rates of quantisation, rules, files and bad input."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings, strategies as st

from widelimit.measure import Block, covariance, describe, laws, moment

NETWORK = laws.product(
    output=laws.Normal(0.0, 1.0), weight=laws.Sphere(3), knot=laws.Uniform(-1.0, 2.0), bias=laws.Atom(0.5)
)
MIXTURE = laws.Mixture([laws.Normal(-1.0, 0.5), laws.Uniform(0.0, 3.0)], [0.3, 0.7])
CLOUD = np.random.default_rng(0).normal(size=(4000, 2))

ALL = {
    "normal": laws.Normal(0.3, 1.7),
    "normal vector": laws.Normal([0.0, 1.0, -1.0], [1.0, 0.5, 2.0], dim=3),
    "gaussian": laws.Gaussian([0.5, -1.0], [[1.0, 0.6], [0.6, 0.5]]),
    "gaussian on a line": laws.Gaussian([0.0, 1.0], [[1.0, 2.0], [2.0, 4.0]]),
    "gaussian number": laws.Gaussian(0.3, 0.49),
    "uniform": laws.Uniform(-1.0, 2.0),
    "uniform box": laws.Uniform(0.0, [1.0, 2.0], dim=2),
    "atom": laws.Atom([1.0, -2.0]),
    "two points": laws.Sphere(1, 2.0),
    "circle": laws.Sphere(2, 0.5),
    "sphere": laws.Sphere(4),
    "product": NETWORK,
    "mixture": MIXTURE,
    "mixture of vectors": laws.Mixture([laws.Normal(-1.0, 0.5, dim=2), laws.Uniform(0.0, 3.0, dim=2)], [0.4, 0.6]),
    "chi": laws.Chi(5, 0.7),
    "two lengths": laws.Chi((20, 60), (0.2, 0.1)),
    "empirical": laws.Empirical(CLOUD),
}
SIZES = 2 ** np.arange(5, 12)


def smooth(rows):
    """A smooth function that is neither even nor odd and uses every column."""
    rows = np.asarray(rows)
    return np.exp(0.4 * rows.sum(axis=1) / np.sqrt(rows.shape[1])) + np.sin(rows[:, 0])


def integral(measure):
    return float(measure.weights @ smooth(measure.positions))


@pytest.fixture(params=ALL.values(), ids=ALL.keys())
def law(request):
    return request.param


@pytest.mark.first(10)
def test_sample_has_the_moments_of_the_quantised_law(law):
    n = 20_000
    sample, near = law.sample(n, key=jax.random.key(0)), law.quantise(2**14)
    spread = np.sqrt(np.diag(covariance(near)))
    # Five standard errors of the mean; the quantised mean is nearer by an order.
    np.testing.assert_array_less(np.abs(moment(sample) - moment(near)), 5 * spread / np.sqrt(n) + 1e-12)
    # Fourth moments here are below 3 variances^2: the standard error of a variance is below 2 s^2/sqrt(n).
    bound = 10 * np.outer(spread, spread) / np.sqrt(n) + 1e-12
    np.testing.assert_array_less(np.abs(covariance(sample) - covariance(near)), bound)


def test_sample_is_a_function_of_the_key(law):
    a, b = (law.sample(6, key=jax.random.key(7)) for _ in range(2))
    np.testing.assert_array_equal(a.positions, b.positions)
    assert a.positions.shape == (6, law.dim)
    assert a.positions.dtype == jnp.float64
    assert a.blocks == law.blocks
    jitted = jax.jit(lambda law, key: law.sample(6, key=key).positions)(law, jax.random.key(7))
    # The compiler may fuse a product and a sum.
    np.testing.assert_allclose(jitted, a.positions, rtol=1e-12, atol=1e-14)
    if law.n_atoms != 1:
        assert not np.array_equal(law.sample(6, key=jax.random.key(8)).positions, a.positions)


@pytest.mark.parametrize("n", [1, 3, 129])
def test_quantise_is_a_repeatable_probability(law, n):
    first, again = law.quantise(n), law.quantise(n)
    np.testing.assert_array_equal(first.positions, again.positions)
    assert np.all(np.isfinite(first.positions))
    assert float(first.mass) == pytest.approx(1.0, rel=1e-12)
    assert len(first) == (1 if law.n_atoms == 1 else n)
    assert first.blocks == law.blocks


def test_from_cube_is_finite_on_the_faces(law):
    u = np.asarray([[value] * law.cube_dim for value in (0.0, 0.5, 1.0)]).reshape(3, law.cube_dim)
    rows = law.from_cube(u)
    assert rows.shape == (3, law.dim)
    assert np.all(np.isfinite(rows))


@pytest.mark.parametrize("name", [name for name in ALL if name not in ("atom", "two points", "circle")])
def test_quantise_error_falls_faster_than_the_root(name):
    law = ALL[name]
    exact = integral(law.quantise(2**17 + 1))
    errors = [abs(integral(law.quantise(int(n))) - exact) for n in SIZES]
    slope = scipy.stats.linregress(np.log(SIZES), np.log(errors)).slope
    # Sampling has slope -1/2; the margin is the scatter of such a fit.
    assert slope < -0.7


def test_circle_is_spectrally_accurate():
    exact = integral(laws.Sphere(2, 0.5).quantise(1000))
    assert integral(laws.Sphere(2, 0.5).quantise(24)) == pytest.approx(exact, rel=1e-14, abs=0.0)


@pytest.mark.parametrize(
    ("law", "oracle"),
    [
        (laws.Normal(0.3, 1.7), scipy.stats.norm(0.3, 1.7)),
        (laws.Uniform(-1.0, 2.0), scipy.stats.uniform(-1.0, 3.0)),
    ],
)
def test_one_dimensional_laws_against_scipy(law, oracle):
    sample = law.sample(2000, key=jax.random.key(1)).positions[:, 0]
    # A true law falls below this p-value once in ten thousand keys; this key is fixed.
    assert scipy.stats.kstest(np.asarray(sample), oracle.cdf).pvalue > 1e-4
    nodes = np.asarray(law.quantise(101).positions[:, 0])
    np.testing.assert_allclose(nodes, oracle.ppf((np.arange(101) + 0.5) / 101), rtol=1e-10, atol=1e-13)
    for rule_size, order in ((2, 3), (5, 9)):
        # n Gauss nodes are exact to degree 2n - 1.
        gauss = law.quantise(rule_size, laws.Gauss())
        assert float(moment(gauss, order)[0]) == pytest.approx(oracle.moment(order), rel=1e-11)


def test_sphere():
    for dim in (1, 2, 10):
        for rho in (
            laws.Sphere(dim, 2.0).sample(100, key=jax.random.key(0)),
            laws.Sphere(dim, 2.0).quantise(256),
        ):
            np.testing.assert_allclose(np.linalg.norm(rho.positions, axis=1), 2.0, rtol=1e-14)
    # The covariance is r^2/d times the identity; 4096 Sobol points are good to about 1e-3.
    np.testing.assert_allclose(covariance(laws.Sphere(5).quantise(4096)), np.eye(5) / 5, atol=2e-3)
    assert laws.Sphere(1).blocks == ()
    assert laws.Sphere(1).shape == (1,)


def test_product_names_its_blocks_in_order():
    law = laws.product(output=laws.Normal(0.0, 1.0), weight=laws.Normal(0.0, 0.125, dim=64), bias=laws.Atom(0.0))
    assert describe(law.blocks) == "output, weight[64], bias"
    assert (law.dim, law.cube_dim) == (66, 65)
    sample = law.sample(3, key=jax.random.key(0))
    assert sample["weight"].shape == (3, 64)
    np.testing.assert_array_equal(sample["bias"], np.zeros(3))
    explicit = laws.product(a=laws.Normal(0.0, 1.0, dim=(1,)), b=laws.Atom([3.0]), c=laws.Uniform(0, 1, dim=(2, 3)))
    assert explicit.blocks == (Block("a", (1,)), Block("b", (1,)), Block("c", (2, 3)))


def test_factors_are_independent():
    law = laws.product(a=laws.Normal(0.0, 1.0), b=laws.Normal(0.0, 1.0))
    correlation = float(covariance(law.sample(10_000, key=jax.random.key(2)))[0, 1])
    assert abs(correlation) < 5 / np.sqrt(10_000)


def test_laws_of_finitely_many_atoms_quantise_exactly():
    law = laws.product(
        a=laws.Mixture([laws.Atom(0.0), laws.Atom(1.0)], [0.25, 0.75]),
        b=laws.Empirical([[5.0], [7.0]], [0.5, 0.5]),
    )
    assert law.n_atoms == 4
    rho = law.quantise(10)
    np.testing.assert_array_equal(rho.positions, [[0, 5], [0, 7], [1, 5], [1, 7]])
    np.testing.assert_array_equal(rho.weights, [0.125, 0.125, 0.375, 0.375])
    assert len(law.quantise(3)) == 3


def test_mixture_is_stratified():
    rho = laws.Mixture([laws.Uniform(0.0, 1.0), laws.Uniform(5.0, 6.0)], [0.3, 0.7]).quantise(10)
    exact = [(i + 0.5) / 3 for i in range(3)] + [5 + (i + 0.5) / 7 for i in range(7)]
    np.testing.assert_allclose(rho.positions[:, 0], exact, rtol=1e-14)


def test_component_without_weight_does_not_appear():
    law = laws.Mixture([laws.Atom(9.0), laws.Uniform(0.0, 1.0), laws.Atom(9.0)], [0.0, 1.0, 0.0])
    for rho in (law.quantise(64), law.sample(64, key=jax.random.key(0))):
        assert float(rho.positions.max()) < 1.0
    assert float(law.from_cube(np.ones((1, 1)))[0, 0]) == 1.0


def test_gaussian_against_scipy():
    cov = np.array([[1.0, 0.6], [0.6, 0.5]])
    law, oracle = laws.Gaussian([0.5, -1.0], cov), scipy.stats.multivariate_normal([0.5, -1.0], cov)
    x = np.random.default_rng(0).normal(size=(20, 2))
    np.testing.assert_allclose(law.log_density(jnp.asarray(x)), oracle.logpdf(x), rtol=1e-12)
    rho = law.quantise(36, laws.Gauss())
    np.testing.assert_allclose(covariance(rho), cov, rtol=1e-12)
    np.testing.assert_allclose(moment(rho), law.mean(), rtol=1e-12)
    sides = np.array([[-np.inf, -2.0]]), np.array([[0.5, np.inf]])
    plain = laws.Gaussian([0.5, -1.0], np.diag([4.0, 1.0]))
    np.testing.assert_allclose(plain.box_probability(*sides), [0.5 * scipy.stats.norm.cdf(1.0)], rtol=1e-13)
    with pytest.raises(ValueError, match="unless cov is diagonal"):
        law.box_probability(*sides)


def test_gaussian_keeps_what_is_thin_and_knows_what_is_flat():
    thin = laws.Gaussian([0.0, 0.0], np.diag([1.0, 1e-24]))
    assert float(covariance(thin.quantise(9, laws.Gauss()))[1, 1]) == pytest.approx(1e-24, rel=1e-12)
    flat = laws.Gaussian([0.0, 1.0], [[1.0, 2.0], [2.0, 4.0]])
    rows = np.asarray(flat.sample(50, key=jax.random.key(0)).positions)
    np.testing.assert_allclose(rows[:, 1], 1.0 + 2.0 * rows[:, 0], atol=1e-13)
    with pytest.raises(ValueError, match="singular"):
        flat.log_density(jnp.zeros((1, 2)))
    point = laws.Gaussian([3.0, 4.0], np.zeros((2, 2)))
    np.testing.assert_array_equal(point.sample(2, key=jax.random.key(0)).positions, [[3.0, 4.0]] * 2)
    assert laws.product(c=laws.Gaussian(0.0, 1.0), w=laws.Gaussian([0.0], [[2.0]])).blocks[1] == Block("w", (1,))


@pytest.mark.parametrize("n", [1, 2, 20, 200, 2000])
def test_gauss_hermite_stays_finite(n):
    rho = laws.Normal(0.0, 1.0).quantise(n, laws.Gauss())
    assert np.all(np.isfinite(rho.positions))
    assert np.all(np.asarray(rho.weights) >= 0)
    assert float(moment(rho, 2)[0]) == pytest.approx(float(n > 1), abs=1e-12)


def test_gauss_tensor_product_is_exact():
    law = laws.product(a=laws.Normal(1.0, 2.0), w=laws.Uniform(0.0, 1.0, dim=2), b=laws.Atom(3.0))
    rho = law.quantise(27, laws.Gauss())
    assert len(rho) == law.gauss_size(3) == 27
    a, (v, w), b = rho["a"], rho["w"].T, rho["b"]
    # E a^4 v^2 w^5 b = (1 + 6 * 4 + 3 * 16) * (1/3) * (1/6) * 3
    assert float(rho.weights @ (a**4 * v**2 * w**5 * b)) == pytest.approx(73 / 6, rel=1e-13, abs=0.0)
    mixed = MIXTURE.quantise(8, laws.Gauss())
    assert len(mixed) == MIXTURE.gauss_size(4) == 8
    assert float(moment(mixed)[0]) == pytest.approx(-0.3 + 0.7 * 1.5, rel=1e-13, abs=0.0)


def test_a_rule_has_as_many_nodes_as_were_asked_for():
    """Whatever the rule, n counts all particles."""
    law = laws.product(a=laws.Empirical([[1.0], [2.0]]), w=laws.Normal(0.0, 1.0, dim=2))
    for m in (1, 2, 5):
        assert law.gauss_size(m) == 2 * m**2
        assert len(law.quantise(2 * m**2, laws.Gauss())) == len(law.quantise(2 * m**2, laws.Sobol())) == 2 * m**2
    for most, order in ((1, 0), (2, 1), (7, 1), (8, 2), (17, 2), (18, 3), (2 * 999**2 + 1, 999)):
        assert law.gauss_order(most) == order
    assert len(laws.Empirical([[1.0], [2.0]]).quantise(5, laws.Gauss())) == 2


def test_sobol_seeds_and_prefixes():
    law = laws.Normal(0.0, 1.0, dim=2)
    short, long = law.quantise(5, laws.Sobol(seed=3)), law.quantise(100, laws.Sobol(seed=3))
    np.testing.assert_array_equal(short.positions, long.positions[:5])
    assert not np.array_equal(law.quantise(5).positions, short.positions)


@settings(max_examples=30, deadline=None)
@given(
    # XLA takes subnormal numbers for zero.
    x=st.lists(st.floats(-1e6, 1e6, allow_subnormal=False), min_size=1, max_size=12),
    counts=st.lists(st.integers(0, 4), min_size=12, max_size=12),
    n=st.integers(1, 15),
)
def test_empirical_on_the_line(x, counts, n):
    w = np.array(counts[: len(x)], float)
    if not w.any():
        return
    law = laws.Empirical(np.array(x)[:, None], w / w.sum())
    rho = law.quantise(n, laws.Midpoint())
    # Systematic: an atom with n w = c + fraction copies expected appears c or c + 1 times.
    for value in set(x):
        expected = n * w[np.array(x) == value].sum() / w.sum()
        assert abs(float(jnp.sum(rho.positions == value)) - expected) < 1 + 1e-9
    assert len(law.quantise(n)) == min(n, len(x)) or n < len(x)


def test_files_round_trip(tmp_path):
    rng = np.random.default_rng(1)
    x, w = rng.normal(size=(7, 3)), rng.integers(1, 5, 7).astype(float)
    np.savez(tmp_path / "atoms.npz", positions=x, weights=w / w.sum())
    lines = ["a, w[0], weights, w[1]"] + [
        f"{r[0]!r},{r[1]!r},{p!r},{r[2]!r}" for r, p in zip(x.tolist(), (w / w.sum()).tolist(), strict=True)
    ]
    (tmp_path / "atoms.csv").write_text("\n".join(lines) + "\n\n")
    for name, words in (("atoms.npz", ""), ("atoms.csv", "a, w[2]")):
        law = laws.load(tmp_path / name)
        assert describe(law.blocks) == words
        rho = law.quantise(7)
        np.testing.assert_array_equal(rho.positions, x)
        np.testing.assert_allclose(rho.weights, w / w.sum(), rtol=1e-15)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a,b\n1,2\n3,x\n", "line 3, column 'b': 'x' is no number"),
        ("a,b\n1,2\n\n3,nan\n", "line 4, column 'b': must be finite"),
        ("a,b\n1,2,3\n", "line 2: 3 cells, the header names 2"),
        ("a,b\n", "at least one line"),
        ("", "at least one line"),
        ("1,2\n3,4\n", "'1' cannot name a block"),
        ("a,lambda\n3,4\n", "'lambda' cannot name a block"),
        ("a,a\n3,4\n", "out of place"),
        ("w,w[1]\n3,4\n", "out of place"),
        ("w[0],b,w[1]\n3,4,5\n", "out of place"),
        ("weights\n1\n", "no column"),
        ("weights,a,weights\n1,1,1\n", "named twice"),
        ("a,weights\n1,0.5\n2,0.6\n", "sum to 1"),
        ("a,weights\n1,1.5\n2,-0.5\n", "not be negative"),
        ('a\n"1\n', "no csv text"),
    ],
)
def test_bad_csv(tmp_path, text, words):
    (tmp_path / "bad.csv").write_text(text)
    with pytest.raises(ValueError, match=f"bad.csv.*{words}"):
        laws.load(tmp_path / "bad.csv")


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"x": np.ones((2, 2))}, "`positions` is needed; the file has x"),
        ({"positions": np.ones(3)}, r"must have shape \[N, D\]"),
        ({"positions": np.full((2, 2), np.nan)}, "finite"),
        ({"positions": np.array([["a"]])}, "real numbers"),
        ({"positions": np.ones((2, 2)), "weights": np.ones(3) / 3}, r"shape \(2,\)"),
        ({"positions": np.array([[object()]])}, "pickle"),
    ],
)
def test_bad_npz(tmp_path, arrays, words):
    np.savez(tmp_path / "bad.npz", **arrays)
    with pytest.raises(ValueError, match=words):
        laws.load(tmp_path / "bad.npz")


def test_files_that_are_none(tmp_path):
    (tmp_path / "noise.npz").write_bytes(b"no archive")
    (tmp_path / "noise.csv").write_bytes(b"\xff\xfe\x00a")
    (tmp_path / "atoms.txt").write_text("1")
    np.save(tmp_path / "array.npy", np.ones((2, 2)))
    (tmp_path / "array.npy").rename(tmp_path / "array.npz")
    for name in ("noise.npz", "noise.csv", "atoms.txt", "array.npz", "missing.npz"):
        with pytest.raises(ValueError, match=name):
            laws.load(tmp_path / name)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: laws.Normal(0.0, -1.0), r"Normal\(std"),
        (lambda: laws.Normal(float("nan"), 1.0), r"Normal\(mean.*finite"),
        (lambda: laws.Normal([0.0, 1.0], 1.0), r"Normal\(mean.*shape \(\)"),
        (lambda: laws.Normal("wide", 1.0), r"Normal\(mean.*number"),
        (lambda: laws.Normal(0.0, 1.0, dim=0), r"Normal\(dim"),
        (lambda: laws.Normal(0.0, 1.0, dim=(2, 0)), r"Normal\(dim"),
        (lambda: laws.Gaussian([0.0, 0.0], [[1.0, 2.0], [2.0, 1.0]]), r"Gaussian\(cov.*semidefinite.* -1"),
        (lambda: laws.Gaussian([0.0, 0.0], [[1.0, 0.2], [0.1, 1.0]]), r"Gaussian\(cov.*symmetric"),
        (lambda: laws.Gaussian([0.0, 0.0], 1.0), r"Gaussian\(cov.*shape \(2, 2\).*got \(\)"),
        (lambda: laws.Gaussian(0.0, -1.0), r"Gaussian\(cov.*semidefinite"),
        (lambda: laws.Gaussian(np.eye(2), np.eye(2)), r"Gaussian\(mean"),
        (lambda: laws.Gaussian([0.0], [[np.nan]]), r"Gaussian\(cov.*finite"),
        (lambda: laws.Uniform(1.0, 1.0), "lower < upper"),
        (lambda: laws.Uniform([0.0, 1.0], [1.0, 0.0], dim=2), "lower < upper"),
        (lambda: laws.Uniform(0.0, np.inf), r"Uniform\(upper.*finite"),
        (lambda: laws.Atom(np.nan), r"Atom\(point"),
        (lambda: laws.Atom([]), r"Atom\(point.*empty"),
        (lambda: laws.Sphere(0), r"Sphere\(dim"),
        (lambda: laws.Sphere(2, 0.0), r"Sphere\(radius"),
        (lambda: laws.product(), "at least one"),
        (lambda: laws.product(_a=laws.Atom(0.0)), "'_a' cannot name"),
        (lambda: laws.Mixture([], []), "at least one"),
        (lambda: laws.Mixture([laws.Atom(0.0)] * 2, [0.5, 0.6]), r"Mixture\(weights.*sum to 1"),
        (lambda: laws.Mixture([laws.Atom(0.0)] * 2, [1.5, -0.5]), r"Mixture\(weights.*negative"),
        (lambda: laws.Mixture([laws.Atom(0.0)] * 2, [1.0]), r"Mixture\(weights.*shape \(2,\)"),
        (lambda: laws.Mixture([laws.Atom(0.0), laws.Sphere(2)], [0.5, 0.5]), "law 1 makes .* must agree"),
        (
            lambda: laws.Mixture([laws.product(a=laws.Atom(0.0)), laws.product(b=laws.Atom(0.0))], [0.5, 0.5]),
            "agree",
        ),
        (lambda: laws.Empirical(np.ones((0, 2))), r"Empirical\(positions"),
        (lambda: laws.Atom(0.0).sample(0, key=jax.random.key(0)), r"sample\(n"),
        (lambda: laws.Atom(0.0).quantise(0), r"quantise\(n"),
        (lambda: laws.Normal(0.0, 1.0, dim=2).quantise(4, laws.Midpoint()), r"use Sobol\(\)"),
        (lambda: laws.Sphere(3).quantise(4, laws.Gauss()), r"Sphere has no Gauss rule.*Sobol\(\)"),
        (lambda: laws.Normal(0.0, 1.0, dim=7).quantise(10**7, laws.Gauss()), r"10000000 nodes.*Sobol\(\)"),
        (lambda: laws.Normal(0.0, 1.0, dim=2).quantise(12, laws.Gauss()), r"n=12.*allowed: 9 and 16; .*Sobol\(\)"),
        (lambda: MIXTURE.quantise(1, laws.Gauss()), r"n=1.*allowed: 2; .*Sobol\(\)"),
        (lambda: laws.Empirical(np.ones((3, 1))).quantise(2, laws.Gauss()), r"n=2.*3 atoms are more than n"),
        (lambda: laws.Normal(0.0, 1.0, dim=30_000).quantise(4), "at most 21201"),
    ],
)
def test_bad_input(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def test_facts_are_those_of_the_quantised_law(law):
    near = law.quantise(2**14)
    spread = np.sqrt(np.diag(covariance(near)))
    # Sobol points of this number miss a mean by some 1e-4 of the spread.
    np.testing.assert_allclose(law.mean(), moment(near), atol=1e-3 * np.max(spread) + 1e-12)
    np.testing.assert_allclose(law.covariance(), covariance(near), atol=5e-3 * np.max(spread) ** 2 + 1e-12)
    parts = law.components()
    np.testing.assert_allclose(sum(p for p, _ in parts), 1.0, rtol=1e-12)
    np.testing.assert_allclose(sum(p * part.mean() for p, part in parts), law.mean(), rtol=1e-12, atol=1e-12)
    for column, single in enumerate(law.marginals() or ()):
        np.testing.assert_allclose(single.mean(), law.mean()[column : column + 1], rtol=1e-12)
        np.testing.assert_allclose(single.covariance(), law.covariance()[column, column], rtol=1e-12)


def test_the_covariance_of_points_is_that_of_their_weights():
    rng = np.random.default_rng(3)
    rows, w = rng.normal(size=(7, 3)) + np.asarray([4.0, -1.0, 0.0]), rng.dirichlet(np.ones(7))
    found = laws.Empirical(rows, w)
    np.testing.assert_allclose(found.covariance(), np.cov(rows.T, aweights=w, ddof=0), rtol=1e-13)
    np.testing.assert_allclose(found.mean(), np.average(rows, axis=0, weights=w), rtol=1e-13)


@pytest.mark.parametrize("law", [laws.Normal(0.3, 1.7), laws.Uniform(-1.0, 2.0)], ids=["normal", "uniform"])
def test_the_line_of_a_law_is_its_integrals(law):
    line, near = law.line(), law.quantise(4096)
    h = np.asarray(near.positions)[:, 0]
    for x in (-0.7, 0.4, 1.9, 5.0):
        assert abs(line.below(x) - np.mean(h <= x)) <= 1 / 4096
        np.testing.assert_allclose(line.ramp(x), np.mean(np.maximum(x - h, 0.0)), atol=3e-4)
        np.testing.assert_allclose(line.density(x), np.exp(law.log_density(jnp.array([[x]]))[0]), rtol=1e-12)
        if x > line.support[1]:
            break
    t, v = np.polynomial.legendre.leggauss(24)
    half = 0.5 * np.diff(line.edges)[:, None]
    nodes = line.edges[:-1, None] + half * (1.0 + t)
    np.testing.assert_allclose(np.sum(half * v * line.density(nodes) * nodes), law.mean()[0], rtol=1e-12)


@pytest.mark.parametrize("law", [laws.Normal(0.3, 1.7), laws.Uniform(-1.0, 2.0)], ids=["normal", "uniform"])
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_the_positive_part_is_its_integrals(law, sign):
    """Between the edges and the kink the integrands are smooth: Gauss nodes there are right to rounding."""
    line = law.line()
    t, v = np.polynomial.legendre.leggauss(24)
    for shift in (-4.0, -0.7, 0.4, 1.9, 5.0):
        cuts = np.sort(np.clip(np.append(line.edges, -sign * shift), line.edges[0], line.edges[-1]))
        half = 0.5 * np.diff(cuts)[:, None]
        h = cuts[:-1, None] + half * (1.0 + t)
        z, mass = np.maximum(shift + sign * h, 0.0), half * v * line.density(h)
        wanted = [np.sum(mass * (z > 0.0)), np.sum(mass * z), np.sum(mass * z * z)]
        np.testing.assert_allclose(law.positive_part(jnp.array([shift]), sign)[:, 0], wanted, rtol=1e-12, atol=1e-14)
    assert law.line().flat == isinstance(law, laws.Uniform)


def test_what_has_no_positive_part_says_so():
    shift = jnp.zeros(())
    vectors = [laws.Normal(0.0, 1.0, dim=2), laws.Uniform(0.0, 1.0, dim=2)]
    for law in (laws.Normal(0.0, 0.0), laws.Atom(0.0), laws.Chi(3), *vectors):
        assert law.positive_part(shift) is None


def test_lengths_of_invariant_laws():
    groups = ((0, 2), (1, 3))
    normal = laws.Normal(0.0, [1.0, 2.0, 1.0, 2.0], dim=4)
    mixed = laws.Mixture([normal, laws.Atom([3.0, 0.0, 4.0, 1.0])], [0.25, 0.75])
    for law in (normal, mixed, laws.Gaussian(np.zeros(4), np.diag([1.0, 4.0, 1.0, 4.0])), laws.Empirical(np.eye(4))):
        rows = np.asarray(law.draw(20_000, jax.random.key(1)))
        sizes = np.stack([np.linalg.norm(rows[:, group], axis=1) for group in groups], axis=1)
        np.testing.assert_allclose(law.radial(groups).mean(), sizes.mean(axis=0), atol=0.05)
    assert float(laws.Sphere(4, 2.0).radial(((0, 1, 2, 3),)).point) == 2.0
    for law in (laws.Normal(1.0, 1.0, dim=4), laws.Normal(0.0, [1.0, 1.0, 2.0, 1.0], dim=4), laws.Sphere(4)):
        assert law.radial(groups) is None


def test_a_product_of_mixtures_comes_apart():
    law = laws.product(a=laws.Mixture([laws.Atom(1.0), laws.Atom(2.0)], [0.25, 0.75]), b=MIXTURE)
    parts = law.components()
    assert [round(p, 12) for p, _ in parts] == [0.075, 0.175, 0.225, 0.525]
    assert all(part.blocks == law.blocks and len(part.marginals()) == 2 for _, part in parts)
    assert not laws.Mixture([laws.Atom(1.0), laws.Atom(2.0)], [0.0, 1.0]).components()[1:]


def test_numbers_may_be_traced():
    """Laws made inside a transformation: moments and draws have the derivatives of finite differences."""
    key = jax.random.key(3)

    def total(s):
        law = laws.product(
            a=laws.Normal(s, 2.0 * s, dim=2),
            b=laws.Uniform(-s, s),
            c=laws.Mixture([laws.Atom(s), laws.Chi(3, s)], [0.3, 0.7]),
            d=laws.Gaussian(jnp.stack([s, s]), jnp.array([[2.0, 0.5], [0.5, 1.0]]) * s),
            e=laws.Sphere(3, s),
        )
        return jnp.sum(law.draw(5, key) ** 2) + jnp.sum(law.mean()) + jnp.sum(law.covariance())

    value, slope = jax.jit(jax.value_and_grad(total))(0.7)
    # The root of a covariance is another one outside, so that its draws differ, and they alone.
    inside = jax.jit(total)
    np.testing.assert_allclose(slope, (inside(0.7 + 1e-5) - inside(0.7 - 1e-5)) / 2e-5, rtol=1e-7)
    assert np.isfinite(value)
