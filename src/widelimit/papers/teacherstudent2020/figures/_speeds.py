"""How fast a student comes near to a heavy and to a light atom of its teacher."""

import numpy as np

from ..._kit import Bench, Cost, Data, Parameter, figure
from ..._kit._drawing import Axes, Sheet, curve, key, title
from ..runs._speeds import COUNTS, MASSES, SEEDS, coupled, decoupled, linear, random_starts

_NAMES = ("relu", "tanh")
_HEAVY = tuple(heavy for heavy, _ in MASSES)
PARAMETERS = (
    Parameter("heavy", _HEAVY, "the weight of the heavy atom of each teacher", 0.5, 0.99),
    Parameter("particles", COUNTS["paper"], "of the students from random starts", 10, 1000, quick=COUNTS["quick"]),
    Parameter("seeds", SEEDS["paper"], "random starts", 2, 100, quick=SEEDS["quick"]),
)


def _runs(bench: Bench, masses: tuple[float, float]) -> tuple[dict[str, Data], list[Data]]:
    """Of one teacher: from near its atoms, and from random starts."""
    near = {"decoupled": decoupled(bench, masses), "coupled": coupled(bench, masses)}
    return near, [random_starts(bench, activation, masses) for activation in _NAMES]


def _compute(bench: Bench) -> Data:
    found: Data = {}
    # 0.2 and not 1 - 0.8, which is another number.
    teachers = [(heavy, round(1.0 - heavy, 12)) for heavy in bench.value("heavy", _HEAVY)]
    runs = [_runs(bench, masses) for masses in teachers]
    for masses, (near, starts) in zip(teachers, runs, strict=True):
        name = f"{masses[0]:g}, {masses[1]:g}"
        rows = {kind: {part: one[part] for part in ("times", "errors", "late", "rates")} for kind, one in near.items()}
        rows["coupled"]["linear"] = linear(near["coupled"], masses)
        found[name] = rows | {
            "masses": np.array(masses),
            "ended": np.stack([np.mean(one["masses"], axis=0) for one in starts]),
            "elsewhere": np.array([np.mean(one["elsewhere"]) for one in starts]),
            "seeds": len(starts[0]["elsewhere"]),
        }
    return found


def _caption(data: Data) -> str:
    late = "; ".join(
        f"({name}): {one['coupled']['late'][0]:.4f} and {one['coupled']['late'][1]:.4f}, the smallest eigenvalue is "
        f"{one['coupled']['rates'][-1]:.4f}"
        for name, one in data.items()
    )
    ended = "; ".join(
        f"{unit} ({name}): {one['ended'][k][0]:.2f} and {one['ended'][k][1]:.2f}"
        for k, unit in enumerate(("ReLU", "tanh"))
        for name, one in data.items()
    )
    seeds = int(next(iter(data.values()))["seeds"])
    return (
        "Section 2.2, teachers of two atoms in the plane with the weights (.8, .2) and (.9, .1). Left: ReLU with c₂ = "
        "-c₁, clusters near the teacher: the distance of a cluster's mean from its atom falls as exp(-w t/2), w its "
        "weight (dotted), so that the ratio of speeds is that of the weights. Middle: tanh with atoms of length 1 at "
        "right angles, and the coupled linear flow (dotted): late in training both move at one rate, measured for "
        f"{late}. Right: from {seeds} random starts each, normal, the mean mass that ends within 0.5 of an atom (bars, "
        f"the heavy one below) beside its weight (dashes): {ended}; the rest ends near no atom, and the statement that "
        "a fraction of the student as large as its weight goes to each atom is not reproduced."
    )


def _alt(data: Data) -> str:
    return (
        "Left: four straight lines on a logarithmic axis, the two of the heavy atoms much steeper. Middle: four curves "
        "that bend, those of one teacher ending parallel. Right: four bars of two parts, all below the dashed marks of "
        "the teacher's weights."
    )


def _distances(axes: Axes, data: Data, kind: str) -> None:
    for k, (name, one) in enumerate(data.items()):
        found = one[kind]
        exact = found["linear"] if kind == "coupled" else np.exp(-0.5 * np.outer(found["times"], one["masses"]))
        for i in range(2):
            e = found["errors"][:, i] / found["errors"][0, i]
            seen = e > 2e-4
            label = f"({name}), $c_{i + 1}$"
            curve(axes, found["times"][seen], e[seen], 2 * k + i, ls="-" if i == 0 else "--", lw=2.4, label=label)
            curve(axes, found["times"][seen], (exact[:, i] / exact[0, i])[seen], lw=1.2, ls=":")
    axes.set(yscale="log", xlabel="time t", ylim=(2e-4, 1.5))


@figure(_compute, caption=_caption, alt=_alt, size=(14.0, 5.0), cost=Cost(20.0, 300.0), parameters=PARAMETERS)
def speeds(sheet: Sheet, data: Data) -> None:
    """Speeds near a heavy and a light atom of the teacher, and what a random start makes of them."""
    left, middle, right = sheet.subplots(1, 3)
    _distances(left, data, "decoupled")
    key(left, r"left $\exp(-\alpha_i t/2)$, middle the linear flow", ls=":", lw=1.2)
    left.set_ylabel("distance from the atom, over its start")
    title(left, "ReLU, $c_2 = -c_1$: decoupled")
    _distances(middle, data, "coupled")
    title(middle, "tanh, $c_1$ and $c_2$ at right angles: coupled")
    labels, place = [], 0
    for unit, k in (("ReLU", 0), ("tanh", 1)):
        for name, one in data.items():
            heavy, light = one["ended"][k]
            names = ("near $c_1$", "near $c_2$", "near none", r"$\alpha_1$") if place == 0 else [None] * 4
            sizes, low = (heavy, light, one["elsewhere"][k]), 0.0
            for size, tint, label in zip(sizes, ("#0072B2", "#E69F00", "#DDDDDD"), names, strict=False):
                right.bar(place, size, 0.6, low, color=tint, label=label)
                low += size
            curve(right, [place - 0.42, place + 0.42], [one["masses"][0]] * 2, ls="--", label=names[3])
            labels.append(f"{unit}\n({name})")
            place += 1
    right.set_xticks(range(place), labels)
    right.set(ylabel="mass at the end", ylim=(0.0, 1.3))
    right.grid(axis="x", visible=False)
    right.legend(fontsize=9.5, ncols=2, loc="upper center")
    title(right, "Random starts: where the mass ends")
    # Below, for a light atom's curve fills the upper right.
    said = left.get_legend_handles_labels()
    sheet.legend(*said, loc="outside lower left", ncols=5, fontsize=10.5, title="weights, atom")
