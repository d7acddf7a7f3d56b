"""How the trained PyTorch networks of this folder were made: `python tests/_diagnose/data/make_torch.py` with PyTorch.

Each is Linear, activation, Linear in float32, trained on the rows that `tables` gives for its name. `<name>.npz` is its
`state_dict`, `predictions.npz` what PyTorch predicts on the first rows, `sgd.npz` the final losses of plain SGD runs.
"""

import pathlib
from typing import Any

import numpy as np

FOLDER = pathlib.Path(__file__).parent
SHOWN = 50
SGD = {"lr": 0.01, "batch_size": 64, "epochs": 30}
WIDTH = 24


def california(rows: int = 1000, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """A table of the shape of California housing: skewed and correlated columns, places, noise, values cut off at 5."""
    rng = np.random.default_rng(seed)
    income = np.exp(rng.normal(1.2, 0.45, rows))
    age = rng.uniform(1.0, 52.0, rows)
    rooms = np.exp(rng.normal(1.65, 0.25, rows) + 0.05 * np.log(income))
    bedrooms = rooms / np.exp(rng.normal(1.6, 0.1, rows))
    population, occupants = np.exp(rng.normal(7.0, 0.7, rows)), np.exp(rng.normal(1.0, 0.25, rows))
    place = rng.uniform(-1.0, 1.0, (rows, 2))
    coast = np.exp(-4.0 * (place[:, 0] + 0.6 * place[:, 1]) ** 2)
    value = (
        0.45 * income * (1.0 - np.exp(-2.0 / occupants)) * 1.2 + 0.9 * coast + 0.005 * age + 0.3 * rng.normal(size=rows)
    )
    x = np.stack([income, age, rooms, bedrooms, population, occupants, place[:, 1], place[:, 0]], axis=1)
    return x, np.minimum(value, 5.0)


def tables() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Rows by name: inputs with mean 0 and variance 1, targets likewise or classes."""
    from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits
    from sklearn.preprocessing import scale

    digits, cancer = load_digits(return_X_y=True), load_breast_cancer(return_X_y=True)
    diabetes, houses = load_diabetes(return_X_y=True), california()
    return {
        "digits": (digits[0] / 16.0, digits[1]),
        "cancer": (scale(cancer[0]), cancer[1]),
        "diabetes": (scale(diabetes[0]), scale(diabetes[1])),
        "california": (scale(houses[0]), scale(houses[1])),
    }


def train(x: Any, y: Any, activation: Any, loss: Any, optimizer: Any, *, outputs: int, batch: int, epochs: int) -> Any:
    """The trained `Sequential`."""
    import torch

    net = torch.nn.Sequential(torch.nn.Linear(x.shape[1], WIDTH), activation, torch.nn.Linear(WIDTH, outputs))
    steps = optimizer(net.parameters())
    for _ in range(epochs):
        for rows in torch.randperm(len(x)).split(batch):
            steps.zero_grad()
            loss(net(x[rows]), y[rows]).backward()
            steps.step()
    return net


def main() -> None:
    import torch

    def adam(parameters: Any) -> Any:
        return torch.optim.Adam(parameters, lr=1e-2)

    kinds = {
        "digits": (torch.nn.ReLU(), torch.nn.CrossEntropyLoss(), 10, torch.long),
        "cancer": (torch.nn.Tanh(), torch.nn.BCEWithLogitsLoss(), 1, torch.float32),
        "diabetes": (torch.nn.Tanh(), torch.nn.MSELoss(), 1, torch.float32),
        "california": (torch.nn.ReLU(), torch.nn.MSELoss(), 1, torch.float32),
    }
    predictions = {}
    for name, (x, y) in tables().items():
        torch.manual_seed(0)
        activation, loss, outputs, kind = kinds[name]
        u = torch.tensor(x, dtype=torch.float32)
        v = torch.tensor(y, dtype=kind)
        v = v if outputs > 1 else v[:, None]
        net = train(u, v, activation, loss, adam, outputs=outputs, batch=64, epochs=40)
        np.savez_compressed(FOLDER / f"{name}.npz", **{part: value.numpy() for part, value in net.state_dict().items()})
        predictions[name] = net(u[:SHOWN]).detach().numpy()
    np.savez_compressed(FOLDER / "predictions.npz", **predictions)
    x, y = (torch.tensor(part, dtype=torch.float32) for part in tables()["diabetes"])
    ends = []
    for seed in range(20):
        torch.manual_seed(seed)
        sgd = lambda parameters: torch.optim.SGD(parameters, lr=SGD["lr"])  # noqa: E731
        told = {"outputs": 1, "batch": SGD["batch_size"], "epochs": SGD["epochs"]}
        net = train(x, y[:, None], torch.nn.Tanh(), torch.nn.MSELoss(), sgd, **told)
        ends.append(torch.nn.functional.mse_loss(net(x)[:, 0], y).item())
        if seed == 0:
            np.savez_compressed(
                FOLDER / "plain.npz", **{part: value.numpy() for part, value in net.state_dict().items()}
            )
    np.savez_compressed(FOLDER / "sgd.npz", losses=np.array(ends))


if __name__ == "__main__":
    main()
