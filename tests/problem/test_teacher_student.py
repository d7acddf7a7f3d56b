"""Problems whose labels come from a teacher: labels, nodes, noise, what is refused."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import widelimit as wl

RELU = wl.units.Neuron(wl.activations.relu, bias=False, output_weight=False)
TANH = wl.units.Neuron(wl.activations.tanh, bias=False)
ATOMS = np.array([[1.0, 0.0], [-1.0, 0.5]])
SHARES = np.array([0.8, 0.2])
TEACHER = wl.Particles(ATOMS, SHARES)
PLANE = wl.laws.Normal(0.0, 1.0, dim=2)


def student(**more):
    return wl.problems.teacher_student(RELU, TEACHER, PLANE, **more)


def by_hand(x):
    return np.maximum(x @ ATOMS.T, 0.0) @ SHARES


def test_labels_are_those_of_the_teacher_on_even_rules():
    p = student()
    nodes = p.data.nodes
    np.testing.assert_allclose(nodes.y, by_hand(np.asarray(nodes.x)), atol=1e-14)
    assert nodes.x.shape == (32**2, 2)
    assert float(jnp.min(jnp.abs(nodes.x))) > 0.1  # no node on a kink x_j = 0
    assert float(p.risk(TEACHER)) < 1e-30
    assert [block.name for block in p.teacher.blocks] == ["weight"]
    np.testing.assert_array_equal(p.teacher.weights, SHARES)
    x = np.array([[0.3, -2.0]])
    np.testing.assert_allclose(p.target(x), by_hand(x), atol=1e-14)
    assert p.notice is None


@pytest.mark.parametrize(("more", "n"), [({"nodes": 4}, 16), ({"samples": 7}, 7), ({"samples": 9, "key": 0}, 9)])
def test_nodes_and_samples(more, n):
    more = {k: jax.random.key(v) if k == "key" else v for k, v in more.items()}
    p = student(**more)
    nodes = p.data.nodes
    assert nodes.x.shape == (n, 2)
    np.testing.assert_allclose(nodes.y, by_hand(np.asarray(nodes.x)), atol=1e-14)
    np.testing.assert_array_equal(p.teacher.positions, ATOMS)


def test_fresh_samples_have_the_labels():
    p = student(nodes=None)
    assert p.data.nodes is None
    x, y = p.data.batch(jax.random.key(0), 5)
    np.testing.assert_allclose(y, by_hand(np.asarray(x)), atol=1e-14)
    np.testing.assert_array_equal(p.teacher.positions, ATOMS)


def test_inputs_of_a_measure_and_a_law_of_atoms():
    inputs = wl.Particles(np.array([[1.0, 2.0], [0.0, -1.0]]), np.array([3.0, 1.0]))
    p = wl.problems.teacher_student(RELU, TEACHER, inputs)
    np.testing.assert_allclose(p.data.nodes.weights, [0.75, 0.25])
    np.testing.assert_allclose(p.data.nodes.y, [0.8, 0.0], atol=1e-14)
    atom = wl.problems.teacher_student(RELU, wl.laws.Atom(np.ones(5)), wl.laws.Atom(np.ones(5)))
    np.testing.assert_allclose(atom.data.nodes.y, [5.0])


@pytest.mark.slow
def test_noise_on_nodes_is_that_of_the_law():
    """E |f - y - s z|^2 / 2 is the risk and C s^2 / 2, on the nodes to rounding and in batches to their error."""
    vector = wl.Particles(np.random.default_rng(0).normal(size=(3, 4)))  # output in R^2, weight in R^2
    plain = wl.problems.teacher_student(TANH, vector, PLANE, nodes=4)
    noisy = wl.problems.teacher_student(TANH, vector, PLANE, nodes=4, noise=0.3)
    other = wl.Particles(np.random.default_rng(1).normal(size=(3, 4)))
    assert plain.data.outputs == (2,)
    assert float(noisy.risk(other)) == pytest.approx(float(plain.risk(other)) + 0.09, rel=1e-12)
    x, y = noisy.data.batch(jax.random.key(0), 20_000)
    rest = np.asarray(y - plain.target(x))
    # 40,000 normal numbers: the deviation is known to 0.35 %, its mean to 0.0015.
    assert rest.std() == pytest.approx(0.3, rel=0.02)
    assert abs(rest.mean()) < 0.008
    np.testing.assert_allclose(noisy.target(x[:3]), plain.target(x[:3]))
    np.testing.assert_array_equal(noisy.teacher.positions, vector.positions)
    once = wl.data.Noisy(wl.data.Samples(x[:4], y[:4]), 0.1)
    assert once.finer(100) is once
    assert noisy.data.finer(200).nodes.x.shape == (200, 2)


def test_noise_of_samples_is_drawn_once():
    p = student(samples=4000, key=jax.random.key(3), noise=0.5)
    rest = np.asarray(p.data.nodes.y) - by_hand(np.asarray(p.data.nodes.x))
    assert rest.std() == pytest.approx(0.5, rel=0.05)
    assert abs(np.corrcoef(rest, np.asarray(p.data.nodes.x)[:, 0])[0, 1]) < 0.06
    np.testing.assert_array_equal(p.teacher.weights, SHARES)


def test_a_law_as_teacher():
    """E (theta x)_+ = |x| / sqrt(2 pi) for theta ~ N(0, 1); 4096 midpoints are within 1e-3 of it."""
    p = wl.problems.teacher_student(RELU, wl.laws.Normal(0.0, 1.0), wl.laws.Uniform(-1.0, 1.0), nodes=6)
    x = np.asarray(p.data.nodes.x)[:, 0]
    np.testing.assert_allclose(p.data.nodes.y, np.abs(x) / np.sqrt(2.0 * np.pi), rtol=1e-3)
    assert p.teacher.weights.shape == (4096,)


def test_outputs_follow_from_the_unit():
    """A residual branch has as many outputs as inputs; a function of one's own has what it returns."""
    branch = wl.units.ResNetBranch(2, wl.activations.tanh)
    rows = np.random.default_rng(2).normal(size=(3, 8))
    p = wl.problems.teacher_student(branch, wl.Particles(rows), PLANE, nodes=2)
    x = np.array([0.3, -1.0])
    by_hand = [x + np.tanh(m[0] @ x) / 2 for m in rows.reshape(3, 2, 2, 2)]
    by_hand = [z + np.tanh(m[1] @ z) / 2 for z, m in zip(by_hand, rows.reshape(3, 2, 2, 2), strict=True)]
    np.testing.assert_allclose(p.target(x[None])[0], np.mean(by_hand, axis=0), atol=1e-14)
    own = wl.units.Function(lambda theta, x: jnp.stack([theta.a * x[0], x[1], theta.a]), columns=["a"])
    assert wl.problems.teacher_student(own, wl.laws.Atom(2.0), PLANE, nodes=2).data.outputs == (3,)


def test_a_teacher_outside_the_domain_is_allowed_and_noticed():
    inside = student(nodes=4, domain=wl.domains.Box(-1.0, 1.0))
    assert inside.notice is None
    p = student(nodes=4, domain=wl.domains.Box(-0.75, 2.0))
    assert "1 of 2 atoms" in p.notice
    assert "[-1.0, 0.5]" in p.notice
    assert "cannot vanish" in p.notice


def test_a_problem_without_a_teacher_says_so():
    p = wl.Problem(RELU, wl.data.Samples(np.ones((2, 2)), np.ones(2)))
    assert p.notice is None
    with pytest.raises(ValueError, match="not known to come from a teacher"):
        _ = p.teacher


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"teacher": wl.Particles(np.ones((1, 3)))}, "teacher=.*2 columns"),
        ({"unit": TANH, "teacher": wl.Particles(np.ones((1, 2)))}, "teacher=.*3 columns"),
        ({"teacher": np.ones((1, 2))}, "teacher=.*Particles or a law"),
        ({"data": 3.0}, "data=.*Particles or a law"),
        ({"unit": "relu"}, "unit="),
        ({"nodes": 0}, "nodes="),
        ({"nodes": "many"}, "nodes="),
        ({"nodes": 4, "samples": 5}, "give one of them"),
        ({"samples": 0}, "samples="),
        ({"noise": -1.0}, "noise="),
        ({"teacher": wl.Particles(np.array([[np.nan, 1.0]]))}, "finite"),
        ({"data": wl.laws.Normal(0.0, 1.0, dim=4), "teacher": wl.laws.Atom(np.ones(4))}, "how many samples=n"),
        ({"data": wl.laws.Sphere(2)}, "no Gauss rule.*samples=n"),
    ],
)
def test_what_is_refused(more, said):
    parts = {"unit": RELU, "teacher": TEACHER, "data": PLANE} | more
    with pytest.raises(ValueError, match=said):
        wl.problems.teacher_student(**parts)
