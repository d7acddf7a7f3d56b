"""A wall that gathers mass and lets it go, and Theorem 2 with the teacher outside."""

import numpy as np

from ..._kit import Bench, Cost, Data, Parameter, figure
from ..._kit._drawing import Sheet, curve, title
from ..runs._walls import CELLS, INSIDE, OUTSIDE, PARTICLES, TIMES, WALL, grids, students

# Of 200 particles.
_EVERY = 12
PARAMETERS = (
    Parameter("inside", INSIDE, "the teacher's neuron in the domain [-1, 1]", -WALL, WALL, open=True),
    Parameter("outside", OUTSIDE, "the teacher's neuron beyond the wall", WALL, 5.0, open=True),
    Parameter("particles", PARTICLES, "of the students", 10, 2000),
    Parameter("cells", CELLS["paper"], "of the equation", 20, 1000, quick=CELLS["quick"], counts=(1, 4)),
)


def _compute(bench: Bench) -> Data:
    centres = {"inside": bench.value("inside", INSIDE), "outside": bench.value("outside", OUTSIDE)}
    grid, runs = grids(bench, centres["inside"]), {name: students(bench, one) for name, one in centres.items()}
    found: Data = {"times": TIMES, "grids": {f"{n}": one["wall"] for n, one in grid.items()}}
    every = max(1, _EVERY * bench.value("particles", PARTICLES) // PARTICLES)
    for name, one in runs.items():
        count = len(TIMES)
        scale = 0.5 * float(one["mu"] @ one["y"] ** 2)
        found[name] = {
            "wall": one["wall"][:count],
            "paths": one["paths"][:count, ::every],
            "centre": centres[name],
            "long": one["times"],
            "loss": one["risk"] / scale,
        }
    one = runs["outside"]
    found["floor"] = float(one["mu"] @ (np.tanh(WALL * one["x"][:, 0]) - one["y"]) ** 2 / (one["mu"] @ one["y"] ** 2))
    return found


def _leaving(data: Data) -> float:
    """The first time after the most at which no particle is on the wall."""
    wall = data["inside"]["wall"]
    return float(TIMES[np.argmax(wall) + np.argmin(wall[np.argmax(wall) :])])


def _caption(data: Data) -> str:
    most, cells = float(np.max(data["inside"]["wall"])), max(int(n) for n in data["grids"])
    last, end = float(data["inside"]["loss"][-1]), float(data["inside"]["long"][-1])
    return (
        "tanh students of one input in Θ = [-1, 1], x normal with variance 9. Left: paths of some of 200 particles, "
        f"the teacher one neuron at {INSIDE:g}: those above are driven to the wall and stay there until the network is "
        "right on average, then leave it. Middle: the mass on the wall, where no flux is the only condition. Of the "
        f"particles {most:.0%} sit there at most and none after t = {_leaving(data):.1f}; the last cell of the "
        f"equation (3), with up to {cells} cells, holds more, the wider the longer, for what leaves is smeared over "
        f"cells. Right: the loss over that of f = 0. With the teacher at {INSIDE:g} it falls on, to {last:.0e} at t = "
        f"{end:g}; with the teacher at {OUTSIDE:g}, outside, all mass comes to rest on the wall, with the loss "
        f"{float(data['floor']):.4f} (dotted) of one neuron there: Theorem 2 asks for a density that is positive on "
        "all of Θ."
    )


def _alt(data: Data) -> str:
    return (
        "Left: lines that rise towards the wall at 1, some of which run along it and leave it late. Middle: curves "
        "that rise, flatten and fall to zero, the black one all at once, the others later. Right: on logarithmic axes "
        "one curve falls without end, the other meets a dotted line."
    )


@figure(_compute, caption=_caption, alt=_alt, size=(14.0, 4.8), cost=Cost(12.0, 60.0), parameters=PARAMETERS)
def wall_mass(sheet: Sheet, data: Data) -> None:
    """A wall of the parameters' domain gathers mass and lets it go; a teacher outside leaves a positive loss."""
    left, middle, right = sheet.subplots(1, 3)
    t, inside = data["times"], data["inside"]
    for path in inside["paths"].T:
        curve(left, t, path, 0, lw=1.3)
    centre = float(inside["centre"])
    left.axhline(centre, color="black", ls="--", lw=1.6, label=f"teacher, {centre:g}")
    left.axhline(WALL, color="#666666", lw=1.0)
    left.set(xlabel="time t", ylabel="θ", ylim=(-1.08, 1.18))
    left.legend(loc="lower right" if centre > 0.0 else "upper right")
    title(left, f"Particles, teacher at {centre:g}")
    for i, (n, mass) in enumerate(data["grids"].items()):
        curve(middle, t, mass, i + 1, lw=1.6, label=f"equation, {n} cells")
    curve(middle, t, inside["wall"], lw=2.4, label="particles")
    middle.set(xlabel="time t", ylabel="mass on the wall or in the last cell", ylim=(0.0, None))
    middle.legend()
    title(middle, "Mass on the wall")
    for name, tint in (("inside", 0), ("outside", 1)):
        one = data[name]
        right.set(xscale="log", yscale="log")
        curve(right, one["long"], one["loss"], tint, label=f"teacher at {float(one['centre']):g}")
    right.axhline(float(data["floor"]), color="black", ls=":", label="one neuron on the wall")
    right.set(xlabel="time t", ylabel="loss over that of f = 0")
    right.legend(loc="lower left")
    title(right, "Theorem 2, and where it fails")
