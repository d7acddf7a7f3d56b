"""Models in every form that is read: the same network comes out, and it predicts what a forward pass by hand does."""

import collections
import dataclasses
import json
import re
from typing import Any

import numpy as np
import pytest

from widelimit import losses
from widelimit._diagnose.reading._readers import read

RNG = np.random.default_rng(1)
N, D, C = 5, 3, 2
X, Y = RNG.normal(size=(7, D)), RNG.normal(size=(7, C))
W, B = RNG.normal(size=(N, D)), RNG.normal(size=N)
V, O = RNG.normal(size=(N, C)), RNG.normal(size=C)  # noqa: E741
F = np.tanh(X @ W.T + B) @ V + O
GIVEN: dict[str, Any] = {"activation": "tanh", "loss": None, "weight_decay": 0.0, "names": None}


class Tensor:
    """What PyTorch's parameters offer."""

    def __init__(self, values: np.ndarray) -> None:
        self.values = values

    def detach(self) -> "Tensor":
        return Tensor(self.values)

    def cpu(self) -> "Tensor":
        return self

    def numpy(self) -> np.ndarray:
        return self.values

    def new_tensor(self, values: Any) -> "Tensor":
        return Tensor(np.asarray(values, self.values.dtype))


class Linear:
    def __init__(self, weight: np.ndarray, bias: np.ndarray) -> None:
        self.weight, self.bias = Tensor(weight), Tensor(bias)

    def __call__(self, x: Tensor) -> Tensor:
        return Tensor(x.values @ self.weight.values.T + self.bias.values)


class Tanh:
    def __call__(self, x: Tensor) -> Tensor:
        return Tensor(np.tanh(x.values))


class GELU(Tanh):
    pass


class Sequential(list[Any]):
    def state_dict(self) -> dict[str, Tensor]:
        layers = {i: layer for i, layer in enumerate(self) if hasattr(layer, "weight")}
        return collections.OrderedDict(
            (f"{i}.{name}", getattr(layer, name)) for i, layer in layers.items() for name in ("weight", "bias")
        )

    def __call__(self, x: Tensor) -> Tensor:
        for layer in self:
            x = layer(x)
        return x


class Module:
    """A `Sequential` is no list in PyTorch."""

    def __init__(self, *layers: Any) -> None:
        self.layers = Sequential(layers)
        self.state_dict = self.layers.state_dict

    def __iter__(self) -> Any:
        return iter(self.layers)

    def __call__(self, x: Tensor) -> Tensor:
        return self.layers(x)


@dataclasses.dataclass
class Layer:
    weight: np.ndarray
    bias: np.ndarray


@dataclasses.dataclass
class Mlp:
    layers: tuple[Layer, ...]
    activation: Any = np.tanh


def sequential(middle: Any = None) -> Module:
    return Module(Linear(W, B), middle or Tanh(), Linear(V.T, O))


def safetensors(path: Any, arrays: dict[str, np.ndarray], dtype: str = "F64") -> Any:
    body = b""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    for name, values in arrays.items():
        raw = values.astype("<f8").tobytes()
        if dtype == "BF16":
            raw = (values.astype("<f4").view("<u4") >> 16).astype("<u2").tobytes()
        header[name] = {"dtype": dtype, "shape": list(values.shape), "data_offsets": [len(body), len(body) + len(raw)]}
        body += raw
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + body)
    return path


NAMED = {"0.weight": W, "0.bias": B, "2.weight": V.T, "2.bias": O}
FLAX = {"params": {"Dense_0": {"kernel": W.T, "bias": B}, "Dense_1": {"kernel": V, "bias": O}}}


def savez(path: Any) -> None:
    named: dict[str, Any] = NAMED
    np.savez(path, **named)


MODELS = {
    "sequential": lambda path: sequential(),
    "state_dict": lambda path: sequential().state_dict(),
    "flax": lambda path: FLAX,
    "equinox": lambda path: Mlp((Layer(W, B), Layer(V.T, O))),
    "list": lambda path: [(W, B), (V.T, O)],
    "npz": lambda path: savez(path / "m.npz") or path / "m.npz",
    "safetensors": lambda path: safetensors(path / "m.safetensors", NAMED),
}


@pytest.mark.parametrize("kind", MODELS)
def test_the_same_network_comes_out(kind, tmp_path):
    given = GIVEN | {"activation": None if kind == "sequential" else "tanh"}
    network = read(MODELS[kind](tmp_path), X, Y, **given)
    problem = network.problem(X, Y)
    measure = network.particles(problem)
    np.testing.assert_allclose(problem.predict(measure, X), F, rtol=1e-12)
    assert network.check(problem, measure) < 1e-12
    assert network.check(problem, measure, F) < 1e-12
    with pytest.raises(ValueError, match="differ by up to"):
        network.check(problem, measure, F + 1e-3)


def test_weight_decay_is_that_of_pytorchs_optimisers():
    network = read(sequential(), X, Y, **GIVEN | {"weight_decay": 0.2})
    problem = network.problem(X, Y)
    squares = np.sum(W**2) + np.sum(B**2) + np.sum(V**2)
    np.testing.assert_allclose(problem.penalty_of(network.particles(problem)), 0.1 * squares, rtol=1e-12)


def test_a_loss_that_is_given_is_taken():
    network = read(sequential(), X, Y, **GIVEN | {"loss": losses.squared(1.0)})
    problem = network.problem(X, Y)
    np.testing.assert_allclose(
        problem.risk(network.particles(problem)), np.mean(np.sum((F - Y) ** 2, axis=1)), rtol=1e-12
    )


def test_square_matrices_are_told_apart_by_their_names():
    w, v = RNG.normal(size=(2, 2)), RNG.normal(size=(2, 2))
    x, y, b = X[:, :2], Y, np.zeros(2)
    f = np.tanh(x @ w.T) @ v
    for model in (
        {"0.weight": w, "0.bias": b, "2.weight": v.T, "2.bias": b},
        {"a": {"kernel": w.T, "bias": b}, "b": {"kernel": v, "bias": b}},
    ):
        network = read(model, x, y, **GIVEN)
        problem = network.problem(x, y)
        np.testing.assert_allclose(problem.predict(network.particles(problem), x), f, rtol=1e-12)
    with pytest.raises(ValueError, match="leave doubt which is which"):
        read({"first": w, "second": v}, x, y, **GIVEN)
    with pytest.raises(ValueError, match="no one width"):
        read({"first": W, "second": v}, X, Y, **GIVEN | {"names": {"weight": "first", "output": "second"}})


def test_names_say_which_array_is_which():
    arrays = {"p": V.T, "q": W.T, "r": O, "s": B}
    names = {"weight": "q", "bias": "s", "output": "p", "offset": "r"}
    network = read(arrays, X, Y, **GIVEN | {"names": names})
    problem = network.problem(X, Y)
    np.testing.assert_allclose(problem.predict(network.particles(problem), X), F, rtol=1e-12)


def test_arrays_with_the_names_of_their_roles_need_no_more():
    network = read({"output": V, "offset": O, "weight": W, "bias": B}, X, Y, **GIVEN)
    problem = network.problem(X, Y)
    np.testing.assert_allclose(problem.predict(network.particles(problem), X), F, rtol=1e-12)


def test_one_output_is_a_number():
    network = read({"0.weight": W, "0.bias": B, "2.weight": V.T[:1], "2.bias": O[:1]}, X, Y[:, 0], **GIVEN)
    problem = network.problem(X, Y[:, 0])
    f = np.tanh(X @ W.T + B) @ V[:, 0] + O[0]
    np.testing.assert_allclose(problem.predict(network.particles(problem), X), f, rtol=1e-12)


def test_bfloat16_is_read(tmp_path):
    rounded = {name: (a.astype("<f4").view("<u4") >> 16 << 16).view("<f4") for name, a in NAMED.items()}
    network = read(safetensors(tmp_path / "m.safetensors", NAMED, "BF16"), X, Y, **GIVEN)
    np.testing.assert_array_equal(network.weight, rounded["0.weight"])
    np.testing.assert_array_equal(network.output, rounded["2.weight"].T)


@pytest.mark.parametrize(
    ("model", "given", "said"),
    [
        (NAMED, {"activation": None}, "do not say their activation"),
        (NAMED, {"activation": "swish"}, "'swish' is unknown; the library has"),
        (sequential(GELU()), {"activation": None}, "this one has GELU"),
        (NAMED | {"4.weight": V}, {}, "2 hidden layers"),
        (NAMED | {"0.weight": W[:, :2]}, {}, "are none of a network of 3 inputs and 2 outputs"),
        # In the other order they would be a network of the other shape.
        ({"2.weight": V.T, "0.weight": W}, {}, "are none of a network of 3 inputs and 2 outputs"),
        (NAMED | {"extra": np.ones(9)}, {}, "fit no biases of 5 neurons"),
        (NAMED | {"0.weight": W * np.nan}, {}, "15 entries of the weight are not finite"),
        (NAMED, {"names": {"weight": "a", "output": "b"}}, "there is no array 'a'"),
        (NAMED, {"names": {"weights": "0.weight"}}, "expected names for weight, bias, output, offset"),
        (NAMED, {"weight_decay": -1.0}, "weight_decay=..."),
        ("model.pt", {}, "may hold a pickle"),
        ("model.txt", {}, "expected a .npz or .safetensors file"),
        ("model.npz", {}, "model.npz: No such file"),
        (3, {}, "int is no model that can be read"),
    ],
)
def test_bad_input_is_one_clear_error(model, given, said):
    with pytest.raises(ValueError, match=re.escape(said)):
        read(model, X, Y, **GIVEN | given).problem(X, Y)


@pytest.mark.parametrize("cut", [4, 20, -8])
def test_damaged_files_are_refused(cut, tmp_path):
    path = safetensors(tmp_path / "m.safetensors", NAMED)
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(ValueError, match="cannot be read"):
        read(path, X, Y, **GIVEN)


def test_a_pickle_inside_an_npz_is_not_loaded(tmp_path):
    np.savez(tmp_path / "m.npz", weight=np.array([object()], object))
    with pytest.raises(ValueError, match="cannot be read: Object arrays cannot be loaded"):
        read(tmp_path / "m.npz", X, Y, **GIVEN)
