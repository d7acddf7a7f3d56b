"""The same SGD steps give the same network: against a loop in NumPy with the semantics of torch.optim.SGD.

The loop was compared with PyTorch itself; the largest difference of a weight is in docs/from-torch.md.
"""

import types

import jax
import numpy as np
import pytest

import widelimit as wl

RNG = np.random.default_rng(7)
ROWS, INPUTS, WIDTH = 22, 3, 5
X = RNG.normal(size=(ROWS, INPUTS))
LR = {"weight": 0.3, "bias": 0.2, "output": 0.05, "offset": 0.1}
DECAY = {"weight": 0.01, "bias": 0.0, "output": 0.2, "offset": 0.05}


def state(outputs: int = 1) -> dict[str, np.ndarray]:
    """The arrays of Linear(3, 5), Tanh, Linear(5, outputs), by PyTorch's names."""
    shapes = {"0.weight": (WIDTH, INPUTS), "0.bias": (WIDTH,), "2.weight": (outputs, WIDTH), "2.bias": (outputs,)}
    return {name: RNG.uniform(-0.6, 0.6, size=shape) for name, shape in shapes.items()}


def mse(f, y):
    """d/df of the mean over rows and outputs of (f - y)^2, f [B, C]."""
    return 2.0 * (f - y.reshape(f.shape)) / f.size


def bce(f, y):
    return (1.0 / (1.0 + np.exp(-f)) - y.reshape(f.shape)) / f.size


def cross_entropy(f, y):
    p = np.exp(f - f.max(1, keepdims=True))
    return (p / p.sum(1, keepdims=True) - np.eye(f.shape[1])[y]) / len(f)


def trained(arrays, y, slope, batches, *, gamma=1.0, lr=LR, decay=DECAY):
    """torch.optim.SGD over the batches: all parameters move at once, decay is added to the gradient."""
    w, b, v, o = (arrays[name].copy() for name in ("0.weight", "0.bias", "2.weight", "2.bias"))
    for rows in batches:
        x, h = X[rows], np.tanh(X[rows] @ w.T + b)
        g = gamma * slope(gamma * (h @ v.T + o), y[rows])
        back = (g @ v) * (1.0 - h**2)
        grads = {"weight": back.T @ x, "bias": back.sum(0), "output": g.T @ h, "offset": g.sum(0)}
        for name, p in zip(LR, (w, b, v, o), strict=True):
            p -= lr[name] * (grads[name] + decay[name] * p)
    return {"weight": w, "bias": b, "output": v, "offset": o}


def passes(order, batch):
    return [rows[i : i + batch] for rows in order for i in range(0, len(rows), batch)]


def ended(t, key=None):
    run = wl.evolve(t.problem, t.network(key), t.sgd, t1=t.t1, key=key)
    return t.training.state(run.final)


CASES = {
    "mse": (1, RNG.normal(size=ROWS), "mse_loss", mse),
    "mse of two": (2, RNG.normal(size=(ROWS, 2)), "MSELoss", mse),
    "bce": (1, (RNG.normal(size=ROWS) > 0).astype(float), "binary_cross_entropy_with_logits", bce),
    "classes": (3, RNG.integers(0, 3, ROWS), "cross_entropy", cross_entropy),
}


@pytest.mark.parametrize("case", CASES)
def test_the_same_steps_give_the_same_network(case):
    """Rates and decays of each group, an output scale, batches of 5 of which the last of each epoch is smaller."""
    outputs, y, loss, slope = CASES[case]
    arrays, order = state(outputs), np.stack([RNG.permutation(ROWS) for _ in range(2)])
    given = {"loss": loss, "lr": LR, "weight_decay": DECAY, "output_scale": 1.7, "activation": "tanh"}
    t = wl.from_torch(arrays, X, y, batch_size=5, epochs=2, order=order, **given)
    end, known = ended(t), trained(arrays, y, slope, passes(order, 5), gamma=1.7)
    assert t.training.steps == 10
    assert list(end) == ["weight", "bias", "output", "offset"]
    for name, value in known.items():
        assert np.max(np.abs(value - t.training.state(t.network())[name])) > 1e-3
        np.testing.assert_allclose(end[name], value, rtol=0, atol=1e-13)


def test_back_in_torchs_words():
    y = CASES["mse"][1]
    t = wl.from_torch(state(), X, y, lr=LR, weight_decay=DECAY, batch_size=4, steps=9, activation="tanh")
    back = t.torch()
    assert (back.width, back.steps, back.batch_size, back.loss) == (WIDTH, 9, 4, "mse_loss")
    assert dict(back.lr) == pytest.approx(LR, rel=1e-13)
    assert dict(back.weight_decay) == pytest.approx(DECAY, rel=1e-13)
    groups = back.parameter_groups("abcd")
    assert [group["params"] for group in groups] == [["a"], ["b"], ["c"], ["d"]]
    assert [group["lr"] for group in groups] == pytest.approx(list(LR.values()))
    # Time is steps times the rate of the hidden weights over N.
    assert t.t1 == pytest.approx(9 * LR["weight"] / WIDTH, rel=1e-14)
    with pytest.raises(ValueError, match=r"parameter_groups\(parameters=...\): expected 4"):
        back.parameter_groups("abc")


def test_a_problem_of_our_own_in_torchs_words():
    """Half a squared error, an output scale of 2, no bias inside, one frozen block: the steps are the same."""
    y = CASES["mse"][1]
    unit = wl.units.WithOffset(wl.units.Neuron(wl.activations.tanh, bias=False))
    problem = wl.Problem(
        unit,
        wl.data.Samples(X, y),
        wl.losses.squared(0.5),
        scale=wl.scales.Power(1.0, 0.5),
        mobility=wl.mobilities.Diagonal(output=2.0, offset=0.3),
        penalty=wl.penalties.l2(0.02, "output"),
    )
    sgd = wl.SGD(0.02, batch=ROWS, sampling=wl.sampling.Ordered(), trainable=["output", "offset"])
    start = wl.Particles(RNG.normal(size=(WIDTH, problem.dim)), blocks=problem.blocks)
    told = wl.to_torch(problem, sgd, width=WIDTH, t1=0.1, output_scale=0.5)
    assert list(told.lr) == ["weight", "output", "offset"]
    assert (told.lr["weight"], told.steps, told.loader) == (0.0, 5, "shuffle=False")
    first = told.state(start)
    arrays = {"0.weight": first["weight"], "0.bias": np.zeros(WIDTH), "2.weight": first["output"]}
    arrays["2.bias"] = first["offset"]
    np.testing.assert_allclose(
        problem.predict(start, X), 0.5 * (np.tanh(X @ first["weight"].T) @ first["output"][0] + first["offset"])
    )
    lr, decay = ({"bias": 0.0, **values} for values in (told.lr, told.weight_decay))
    known = trained(arrays, y, mse, [np.arange(ROWS)] * 5, gamma=0.5, lr=lr, decay=decay)
    end = told.state(wl.evolve(problem, start, sgd, t1=0.1).final)
    for name in ("weight", "output", "offset"):
        np.testing.assert_allclose(end[name], known[name], rtol=0, atol=1e-13)
    assert np.max(np.abs(end["output"] - first["output"])) > 1e-3


def test_other_widths_have_the_same_limit():
    """Rates at N' that are N'/N, N/N' and 1 times as large, and output weights N/N' times: step and mobility stay."""
    y = CASES["mse"][1]
    t = wl.from_torch(8, X, y, lr=0.4, weight_decay=0.1, activation="tanh", steps=10)
    told = t.torch(32)
    assert dict(told.lr) == pytest.approx({"weight": 1.6, "bias": 1.6, "output": 0.1, "offset": 0.4})
    assert dict(told.weight_decay) == pytest.approx({"weight": 0.025, "bias": 0.025, "output": 0.4, "offset": 0.1})
    assert told.init["output"].size == pytest.approx(t.training.init["output"].size / 4)
    assert told.init["weight"] == t.training.init["weight"]
    init = {name: (one.kind, one.size) for name, one in told.init.items()}
    again = wl.from_torch(
        32, X, y, lr=told.lr, weight_decay=told.weight_decay, activation="tanh", steps=told.steps, init=init
    )
    assert float(again.sgd.step_size) == pytest.approx(float(t.sgd.step_size), rel=1e-14)
    for one, other in zip(jax.tree.leaves(again.problem), jax.tree.leaves(t.problem), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-13)
    for one, other in zip(jax.tree.leaves(again.law), jax.tree.leaves(t.law), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-13)


def test_the_start_is_that_of_linear():
    t = wl.from_torch(400, X, CASES["mse"][1], lr=0.1, activation="relu", epochs=3, batch_size=5, drop_last=True)
    assert (t.training.steps, t.training.loader) == (12, "shuffle=True, drop_last=True")
    start = t.training.state(t.network(jax.random.key(3)))
    for name, fan in (("weight", INPUTS), ("bias", INPUTS), ("output", 400)):
        bound = 1.0 / np.sqrt(fan)
        assert 0.98 * bound < np.max(np.abs(start[name])) < bound
        assert np.std(start[name]) == pytest.approx(bound / np.sqrt(3), rel=0.15)
    assert 0.0 < abs(start["offset"][0]) < 0.05
    # In the law of the limit the bias is at its mean.
    np.testing.assert_allclose(t.law.quantise(16)["offset"], 0.0)
    named = {"weight": "xavier_normal", "output": ("normal", 0.01), "offset": 0.5, "bias": "zeros"}
    t = wl.from_torch(400, X, CASES["mse"][1], lr=0.1, activation="relu", steps=1, init=named)
    start = t.training.state(t.network(jax.random.key(3)))
    assert np.std(start["weight"]) == pytest.approx(np.sqrt(2.0 / (400 + INPUTS)), rel=0.1)
    assert np.std(start["output"]) == pytest.approx(0.01, rel=0.1)
    assert (start["offset"][0], np.ptp(start["bias"])) == (pytest.approx(0.5), 0.0)
    uniform = wl.from_torch(4, X, CASES["mse"][1], lr=0.1, activation="relu", steps=1, init="kaiming_uniform")
    assert str(uniform.training.init["weight"]) == f"U(±{np.sqrt(6.0 / INPUTS):.4g})"
    with pytest.raises(ValueError, match=r"network\(key=...\)"):
        t.network()


class Parameter:
    """What a tensor that is trained offers here."""

    def __init__(self, array):
        self.array = array

    def numpy(self):
        return self.array


class Linear:
    weight = None


Tanh = type("Tanh", (), {})


class Sequential:
    def __init__(self, layers):
        self.layers = layers

    def __iter__(self):
        return iter(self.layers)

    def parameters(self):
        return [p for layer in self if hasattr(layer, "weight") for p in (layer.weight, layer.bias)]

    def state_dict(self):
        return dict(zip(("0.weight", "0.bias", "2.weight", "2.bias"), self.parameters(), strict=True))


def model():
    layers, arrays = (Linear(), Linear()), state()
    for layer, k in zip(layers, (0, 2), strict=True):
        layer.weight, layer.bias = Parameter(arrays[f"{k}.weight"]), Parameter(arrays[f"{k}.bias"])
    return Sequential([layers[0], Tanh(), layers[1]])


def optimizer(net, kind="SGD", **said):
    group = {"params": net.parameters(), "lr": 0.3, "momentum": 0.0, "weight_decay": 0.1, "maximize": False} | said
    return type(kind, (), {"param_groups": [group]})()


def test_a_model_and_its_optimizer_say_it_themselves():
    net = model()
    t = wl.from_torch(net, X, CASES["mse"][1], optimizer=optimizer(net), loss=type("MSELoss", (), {})(), steps=3)
    assert [*t.training.lr.values(), *t.training.weight_decay.values()] == pytest.approx([0.3] * 4 + [0.1] * 4)
    arrays = {name: one.numpy() for name, one in net.state_dict().items()}
    same = dict.fromkeys(LR, 0.3), dict.fromkeys(LR, 0.1)
    known = trained(arrays, CASES["mse"][1], mse, [np.arange(ROWS)] * 3, lr=same[0], decay=same[1])
    for name, value in ended(t).items():
        np.testing.assert_allclose(value, known[name], rtol=0, atol=1e-13)
    part = optimizer(net, params=net.parameters()[2:])
    frozen = wl.from_torch(net, X, CASES["mse"][1], optimizer=part, steps=3)
    assert [frozen.training.lr[name] for name in LR] == pytest.approx([0.0, 0.0, 0.3, 0.3])


def test_what_it_prints():
    text = str(wl.from_torch(8, X, CASES["mse"][1], lr=0.4, activation="tanh", batch_size=4, epochs=2))
    assert "8 neurons; mse_loss, mean over the batch; batches of 4 (shuffle=True); 12 steps of SGD" in text
    assert "t1 = 0.6 in 12 steps of 0.05" in text
    lines = {line.split()[0]: line.split() for line in text.splitlines()[9:13]}
    assert lines["output"] == ["output", "64", "8", "1/N"]
    assert lines["offset"] == ["offset", "8", "1", "1"]


def refusals():
    y, net = CASES["mse"][1], model()
    base = {"lr": 0.1, "activation": "tanh", "steps": 1}
    yield "momentum=0.9.*lr/\\(1 - momentum\\), 1: give that", 4, y, {**base, "momentum": 0.9}
    yield "give one of them", 4, y, {**base, "lr": None}
    yield "optimizer=...\\): Adam is not translated", net, y, {"optimizer": optimizer(net, "Adam"), "steps": 1}
    yield "momentum=0.5", net, y, {"optimizer": optimizer(net, momentum=0.5), "steps": 1}
    yield "goes up the loss", net, y, {"optimizer": optimizer(net, maximize=True), "steps": 1}
    yield "not of the model", net, y, {"optimizer": optimizer(model()), "steps": 1}
    yield "give the model itself", 4, y, {"optimizer": optimizer(net), "activation": "tanh", "steps": 1}
    yield "all are 0", 4, y, {**base, "lr": 0.0}
    yield "lr=...\\): must be a finite number at least 0", 4, y, {**base, "lr": -1.0}
    yield "no group 'wieght'", 4, y, {**base, "lr": {"wieght": 1.0}}
    yield "says nothing of bias, output, offset", 4, y, {**base, "lr": {"weight": 1.0}}
    yield "no group 'bias'", 4, y, {**base, "bias": False, "weight_decay": {"bias": 0.1}}
    yield "activation=...\\): the model does not say it", state(), y, {"lr": 0.1, "steps": 1}
    yield "'tanhh' is not known", 4, y, {**base, "activation": "tanhh"}
    yield "expected a width, or the weights of", {"a": np.ones((3, 3))}, y, base
    yield "expected a width, or the weights of", None, y, base
    yield "2 weights are not finite", {**state(), "0.bias": np.array([1, np.nan, np.inf, 0, 0])}, y, base
    yield "1 outputs, the targets have shape \\(22, 2\\)", state(), np.ones((22, 2)), base
    yield "22 rows and 3 targets", 4, y[:3], base
    yield "the model has 3 inputs", {**state(), "0.weight": np.ones((5, 3))}, y, {**base, "x": X[:, :2]}
    yield "'l1_loss' is not known", 4, y, {**base, "loss": "l1_loss"}
    yield (
        "reduction='sum' is not translated",
        4,
        y,
        {**base, "loss": types.SimpleNamespace(__name__="MSELoss", reduction="sum")},
    )
    yield "takes targets 0 and 1", 4, y, {**base, "loss": "BCEWithLogitsLoss"}
    yield "cross_entropy takes classes 0 to 0", 4, y, {**base, "loss": "cross_entropy"}
    yield "at most the 22 rows, got 23", 4, y, {**base, "batch_size": 23}
    yield "steps=..., epochs=...\\): give one of them", 4, y, {**base, "epochs": 2}
    yield "init=...\\): the model has a start already", state(), y, {**base, "init": "default"}
    yield "bias: xavier_uniform is for matrices", 4, y, {**base, "init": {"bias": "xavier_uniform"}}
    yield "'xaver_uniform' is not known", 4, y, {**base, "init": "xaver_uniform"}
    yield "expected finite numbers \\[n, d\\]", 4, y, {**base, "x": np.full((22, 3), np.nan)}


@pytest.mark.parametrize(("message", "net", "y", "said"), list(refusals()))
def test_one_clear_error(message, net, y, said):
    x = said.pop("x", X) if "x" in said else X
    with pytest.raises(ValueError, match=message):
        wl.from_torch(net, x, y, **said)


def problem(**parts):
    unit = parts.pop("unit", wl.units.Neuron(wl.activations.tanh))
    return wl.Problem(unit, wl.data.Samples(X, CASES["mse"][1]), **parts)


@pytest.mark.parametrize(
    ("message", "made", "sgd"),
    [
        ("the unit here is RadialBasis", {"unit": wl.units.RadialBasis(1.0)}, {}),
        ("knows no walls", {"domain": wl.domains.product(bias=wl.domains.Box(-1.0, 1.0))}, {}),
        ("weight decay is an l2 penalty", {"penalty": wl.penalties.total_variation(0.1, "output")}, {}),
        ("one number a group", {"mobility": wl.mobilities.Function(lambda theta, g: g)}, {}),
        ("adds no noise", {}, {"temperature": 0.1}),
        ("the steps change in time", {}, {"schedule": wl.schedules.power(0.25)}),
        ("PyTorch has no loss for function", {"loss": lambda f, y: (f - y) ** 4}, {}),
    ],
)
def test_what_torch_does_not_do_is_refused(message, made, sgd):
    with pytest.raises(ValueError, match=message):
        wl.to_torch(problem(**made), wl.SGD(0.1, **sgd), width=4, t1=1.0)
