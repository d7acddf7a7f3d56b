"""rotskoff2018: that its claims hold, that they can fail, and the tools they stand on."""

import numpy as np
import paper_claims
import pytest

MODULES = ("_equations", "_fluctuations", "_noise", "_scaling", "_three_spin", "_training")
FIGURES = tuple(f"fig{k}" for k in range(1, 5))
QUICK = ("loss-as-energy", "flow-of-energy", "first-variation", "positive-kernel")

PAPER = paper_claims.Folder("rotskoff2018", MODULES)
module, holds = PAPER.module, PAPER.holds

test_claims = PAPER.checks(QUICK)
test_the_paper_has_them_all = PAPER.is_whole(FIGURES)
test_figures = PAPER.draws(FIGURES)


def rbf(n, seed=0, power=-3.0, error=0.01, off=0.0, half=5.0, charge=2.0, **_):
    """A trained RBF network, as the piece gives it."""
    last = float(n) ** power * (1.0 + 0.1 * seed)
    risk = np.array([2.0, half * last, last])
    y = np.sqrt(5.0) * np.eye(5)[np.arange(n) % 5]
    return {
        "c": charge * np.resize([1.0, -1.0], n),
        "y": y,
        "t": np.array([0.0, 5.0, 10.0]),
        "risk": risk,
        "native": risk,
        "loss": last * (1.0 + off * error),
        "error": last * error,
        "half": 2.0,
    }


def curve(rates):
    """A loss of 61 saves with these rates over six windows."""
    return 5.0 * np.exp(-np.append(0.0, np.cumsum(np.repeat(rates, 10))) / 10.0)


def sigmoid(d, n, seed=0, power=-1.0, rates=(1.0, 0.6, 0.4, 0.3, 0.2, 0.15), rough=1e-3, calm=1e-4, gap=0.0, **_):
    """A trained sigmoid network, as the piece gives it."""
    noise = np.random.default_rng(0).normal(size=61)
    before, size = curve(np.array(rates)), float(n) ** power * (1.0 + 0.05 * seed)
    angle = np.linspace(0.0, 6.0, 9)
    return {
        "steps before": 100.0 * np.arange(61),
        "curve before": before * (1.0 + rough * noise),
        "steps after": 5.0 * np.arange(61),
        "curve after": 0.9 * before[-1] * (1.0 + calm * noise),
        "loss": size,
        "loss error": 0.01 * size,
        "positive": size,
        "positive error": 0.1 * size,
        "negative": -size * (1.0 + gap),
        "negative error": 0.1 * size,
        "half": 0.5 * d / 10.0,
        "angle": angle,
        "circle target": np.sin(angle) * np.ones((3, 1)),
        "circle": 0.9 * np.sin(angle) * np.ones((3, 1)),
    }


def seconds(cases):
    return {"cases": np.array(cases), "seconds": 1e-3 * np.arange(1.0, len(cases) + 1.0)}


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_is_drawn_from_its_arrays(name):
    from widelimit.papers import named

    pieces = {"rbf": rbf, "sigmoid": sigmoid, "step_seconds": seconds}
    figure = named("rotskoff2018").figure(name)
    data = figure.compute(paper_claims.canned(pieces))
    assert figure.draw(data).startswith(b"\x89PNG")
    assert len(figure.caption(data)) > 200
    assert figure.caption(data) not in figure.alt(data)


class TestTools:
    def test_a_drawn_network_has_the_shares_of_its_neurons(self):
        networks = module("runs._networks")
        start = networks.atoms()
        one = networks.drawn(start, 50, 3)
        counts = 50.0 * np.asarray(one.weights)
        np.testing.assert_allclose(counts, np.round(counts), atol=1e-12)
        assert counts.sum() == pytest.approx(50.0)
        shares = np.mean([np.asarray(networks.drawn(start, 50, seed).weights) for seed in range(400)], axis=0)
        p = np.asarray(start.weights)
        assert np.all(np.abs(shares - p) < 4.5 * np.sqrt(p / 50.0 / 400.0))

    def test_mean_square(self):
        ensembles = module("runs._ensembles")
        found = {
            "f": np.array([[[1.0, 2.0]], [[3.0, 2.0]]]),
            "limit": np.array([[1.0, 1.0]]),
            "mu": np.array([0.25, 0.75]),
        }
        np.testing.assert_allclose(ensembles.squares(found), [[0.75], [1.75]])
        mean, error = ensembles.mean_square(found)
        assert mean == pytest.approx(1.25)
        assert error == pytest.approx(0.5)

    def test_points_of_the_slice(self):
        x = module("figures._fig1").slice_points(np.array([0.0, np.pi / 2]), np.array([0.3, np.pi / 2]))
        np.testing.assert_allclose(x, np.sqrt(5.0) * np.array([[0, 0, 1, 0, 0], [0, 1, 0, 0, 0]]), atol=1e-15)

    def test_rates(self):
        rates = module("claims._training").decay_rates(curve([1.0, 0.5, 2.0, 0.1, 0.1, 0.1]))
        np.testing.assert_allclose(rates, [1.0, 0.5, 2.0, 0.1, 0.1, 0.1])

    def test_the_target_is_odd_and_the_sphere_has_its_radius(self):
        spins = module("runs._spins")
        x = spins.on_sphere(5, 7, 1)
        np.testing.assert_allclose(np.sum(x**2, axis=1), 5.0)
        assert spins.batch_of(256) == 51
        assert not np.allclose(spins.coefficients(5, 0), spins.coefficients(5, 1))


class TestFailing:
    """Claims on numbers that contradict them."""

    def test_ensembles(self):
        times = module("runs._ensembles").TIMES
        mu, variance = np.array([1.0]), np.linspace(1.0, 2.0, len(times))
        # 250 runs at normal quantiles: mean, variance, skewness and tails of a Gaussian.
        from scipy.stats import norm

        z = norm.ppf((np.arange(250) + 0.5) / 250)
        z /= np.std(z)

        def networks(n, seeds, power=-0.5, shift=0.0, scale=1.0, mirrored=False, excess=0.0, slow=1.0, **_):
            f = scale * float(n) ** power * np.sqrt(variance)[:, None] * (z + shift)[:, None, None]
            falls = np.exp(-np.array(times))
            return {
                "f": 1.0 + f,
                "risk": falls**slow + excess / n + 0.0 * z[:, None],
                "limit": np.ones((len(times), 1)),
                "limit risk": falls,
                "mu": mu,
            }

        def library(which, times, **_):
            return {"variance": variance, "bias": 0.0 * variance, "excess": variance, "limit": variance}

        assert holds("law-of-large-numbers", networks=networks)
        assert not holds("law-of-large-numbers", networks=lambda **s: networks(**s, power=-0.4))
        assert not holds("law-of-large-numbers", networks=lambda **s: networks(**s, slow=0.9))
        assert holds("central-limit", networks=networks, predicted=library)
        assert not holds("central-limit", networks=lambda **s: networks(**s, scale=1.3), predicted=library)
        assert not holds("central-limit", networks=lambda **s: networks(**s, shift=0.3), predicted=library)
        assert holds("slow-schedule", networks=networks, predicted=library)
        assert not holds("slow-schedule", networks=lambda **s: networks(**s, power=-0.4), predicted=library)

    def test_the_covariance(self):
        times = module("runs._ensembles").TIMES
        exact = np.linspace(1.0, 2.0, len(times))

        def solved(which, times, centred=True):
            return {"start": exact * (1.0 if centred else 1.1)}

        good = {"variance": exact}
        for id, off in (("centred-start", 1e-6), ("covariance-equation", 1e-3)):
            assert holds(id, predicted=good, solved=solved)
            assert not holds(id, predicted={"variance": exact * (1.0 + off)}, solved=solved)
        assert not holds("centred-start", predicted=good, solved={"start": exact})

    def test_healing(self):
        gap, long = module("claims._fluctuations")._GAP_TIMES, module("claims._fluctuations")._LONG

        def decays(rate):
            return {"variance": np.exp(-rate * np.array(gap))}

        exact = {"start": np.exp(-0.7 * np.array(gap))}
        assert holds("healing-with-gap", predicted=decays(0.7), solved=exact)
        assert not holds("healing-with-gap", predicted=decays(0.6), solved=exact)
        slow = {"start": np.exp(-0.1 * np.array(gap))}
        assert not holds("healing-with-gap", predicted=decays(0.1), solved=slow)
        t = np.array(long)
        assert holds("self-healing", predicted={"variance": 1.0 / (1.0 + t)})
        assert not holds("self-healing", predicted={"variance": np.exp(-0.05 * t)})
        power = {"variance": 1.0 / (1.0 + t), "limit": 1.0 / (1.0 + t) ** 2}
        assert not holds("healing-without-gap", predicted=power)
        assert holds("healing-without-gap", predicted={"variance": np.exp(-t / 2.0), "limit": np.exp(-t / 2.0)})

    def test_rbf(self):
        assert holds("rbf-scaling", rbf=rbf)
        assert not holds("rbf-scaling", rbf=lambda **s: rbf(**s, power=-1.0))
        assert holds("sampled-loss", rbf=rbf)
        assert not holds("sampled-loss", rbf=lambda **s: rbf(**s, off=5.0))
        assert holds("thermal-quench", rbf=rbf)
        assert not holds("thermal-quench", rbf=lambda **s: rbf(**s, half=2.0))
        ratio = {"ratio": np.full(3, np.exp(5.0))}
        assert holds("exponent-sign", kernel_ratio=ratio, rbf=rbf)
        assert not holds("exponent-sign", kernel_ratio=ratio, rbf=lambda **s: rbf(**s, charge=20.0))
        assert not holds("exponent-sign", kernel_ratio={"ratio": np.full(3, np.exp(-5.0))}, rbf=rbf)

    def test_costs(self):
        def counted(pairs, samples):
            def compute(cases):
                return {"flops": [n**pairs * d + n * d**3 if not p else samples * n * d * p[0] for d, n, *p in cases]}

            return compute

        assert holds("step-cost", operations=counted(2, 1.0))
        assert not holds("step-cost", operations=counted(3, 1.0))

    def test_sigmoid(self):
        assert holds("no-plateaus", sigmoid=sigmoid)
        assert not holds("no-plateaus", sigmoid=lambda **s: sigmoid(**s, rates=(1.0, 0.2, 0.8, 0.4, 0.3, 0.2)))
        assert holds("quench", sigmoid=sigmoid)
        assert not holds("quench", sigmoid=lambda **s: sigmoid(**s, calm=1e-2))
        assert holds("loss-scaling", sigmoid=sigmoid)
        assert not holds("loss-scaling", sigmoid=lambda **s: sigmoid(**s, power=-0.7))
        assert holds("signed-error", sigmoid=sigmoid)
        assert not holds("signed-error", sigmoid=lambda **s: sigmoid(**s, gap=0.3))
        assert holds("high-dimension", sigmoid=sigmoid)
        assert not holds("high-dimension", sigmoid=lambda **s: sigmoid(**s, power=0.1))
