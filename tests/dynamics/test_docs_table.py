"""The documentation's table of which dynamics takes which problem is what `accepts` says.

`python tests/dynamics/test_docs_table.py` prints the table.
"""

import pathlib
from typing import Any

import numpy as np

import widelimit as wl
from widelimit import dynamics

PAGE = pathlib.Path(__file__).parents[2] / "docs" / "limit.md"
_X = np.linspace(-1.0, 1.0, 9)[:, None]
_SAMPLES = wl.data.Samples(_X, np.sin(2.0 * _X[:, 0]))


def _one(unit: Any, data: Any = _SAMPLES, **parts: Any) -> wl.Problem:
    return wl.Problem(unit, data, **parts)


_NEURON = wl.units.Neuron(wl.activations.tanh, bias=False)
_WEIGHT = wl.units.Neuron(wl.activations.tanh, bias=False, output_weight=False)
PROBLEMS = {
    "smooth, 1 parameter": _one(_WEIGHT),
    "smooth, 2 parameters": _one(_NEURON),
    "smooth, 3 parameters": _one(wl.units.Neuron(wl.activations.tanh)),
    "ReLU": _one(wl.units.Neuron(wl.activations.relu)),
    "free knots, exact": wl.problems.free_knot_spline(lambda x: x**2),
    "one free knot each, exact": wl.problems.free_knot_spline(lambda x: 0.5 * x**2, charge=False),
    "l2 penalty": _one(_NEURON, penalty=wl.penalties.l2(0.1)),
    "total variation": _one(_NEURON, penalty=wl.penalties.total_variation(0.1, "output")),
    "walls": _one(
        _NEURON, domain=wl.domains.product(output=wl.domains.Box(-3.0, 3.0), weight=wl.domains.Box(-3.0, 3.0))
    ),
    "fresh samples only": _one(_NEURON, wl.data.GaussianClasses(1.5, 0.5, dim=1)),
}
NUMBERS = {"sgd": {"step": 0.1}, "sgd_diffusion": {"step": 0.1}, "jko": {"tau": 0.1}, "entropic_jko": {"tau": 0.1}}


def _starts(problem: wl.Problem) -> dict[str, Any]:
    law = wl.laws.product(**{b.name: wl.laws.Normal(0.0, 0.3, dim=b.size) for b in problem.blocks})
    law = (
        law
        if problem.domain.unconstrained
        else wl.laws.product(**{b.name: wl.laws.Uniform(-0.9, 0.9) for b in problem.blocks})
    )
    edges = [wl.grids.uniform(-2.5, 2.5, 40) for _ in range(problem.dim)]
    starts = {"particles": law.quantise(16), "law": law}
    if problem.dim <= 2:
        grid = edges[0] if problem.dim == 1 else wl.grids.product(*edges)
        starts["grid"] = wl.measure.GridDensity(
            grid, np.full(grid.shape, 1.0 / np.prod(grid.shape)), blocks=problem.blocks
        )
    return starts


def table() -> str:
    """A row a dynamics, a column a problem: the starts that are accepted."""
    lines = ["| dynamics | " + " | ".join(PROBLEMS) + " |", "|---" * (len(PROBLEMS) + 1) + "|"]
    for entry in dynamics.registry:
        made = entry.maker(**NUMBERS.get(entry.name, {}))
        cells = [
            ", ".join(name for name, start in _starts(problem).items() if made.accepts(problem, start) is None) or "-"
            for problem in PROBLEMS.values()
        ]
        lines.append(f"| `{type(made).__name__}` | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def test_the_documents_table_is_current() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert table() in page, "run python tests/dynamics/test_docs_table.py and put what it prints into docs/limit.md"


if __name__ == "__main__":
    print(table())
