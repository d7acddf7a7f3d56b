"""Fig. 2: small clouds around a stable and an unstable stationary atom, N = 100."""

import numpy as np

from ..._kit import Bench, Cost, Data, Parameter, figure
from ..._kit._drawing import Sheet, curve, legend_below, marks, title
from ..runs._square import ATOM, cloud

WIDTH = 100
# Not printed: sigma, the starts and the end time.
_SIGMA = 0.01
PARAMETERS = (
    Parameter("sigma", _SIGMA, "the standard deviation of the cloud at the start", 0.0, 0.3, open=True),
    Parameter("width", WIDTH, "neurons", 2, 10_000),
    Parameter("end", 1e5, "how long the clouds are followed", 10.0, 1e6, quick=1e4),
    Parameter("seed", 1, "of the draw", 0, 10**6),
)
_STARTS = {"stable": [-1.0, 0.2], "unstable": [1.0, 0.0]}


def clouds(bench: Bench) -> Data:
    """The two clouds by their names."""
    end, saves = bench.pick(quick=(1e4, 200), paper=(1e5, 400))
    made = {"sigma": bench.value("sigma", _SIGMA), "width": bench.value("width", WIDTH)}
    settings = {**made, "end": end, "saves": saves, "seed": 1} | bench.given(end="end", seed="seed")
    return {name: bench.piece(cloud, center=center, **settings) for name, center in _STARTS.items()}


def _compute(bench: Bench) -> Data:
    return {**clouds(bench), "sigma": bench.value("sigma", _SIGMA), "width": bench.value("width", WIDTH)}


def closest(one: Data) -> tuple[float, float]:
    """How near the cloud's mean comes to (c_*, h_*), and when."""
    far = np.hypot(*(np.mean(one["rows"], axis=1) - np.array(ATOM)).T)
    return float(np.min(far)), float(one["t"][np.argmin(far)])


def _caption(data: Data) -> str:
    calm, wild = data["stable"], data["unstable"]
    c, h = wild["rows"][-1].T
    least, when = closest(wild)
    width = np.std(wild["rows"][np.searchsorted(wild["t"], when), :, 1])
    return (
        f"Left: all weights stop at h = 1, within {np.std(calm['rows'][-1, :, 1]):.1g} of each other in h, and the "
        f"loss is that of no prediction, {calm['loss'][-1]:.3g}. Right: the cloud's mean passes the unstable atom "
        f"(c_*, h_*) at a distance of {least:.2g}, at t = {when:.0f}, when its standard deviation in h has grown to "
        f"{width:.2g}; at the end the knots lie between {np.min(h):.2f} and {np.max(h):.2f} with charges around "
        f"{np.mean(c):.2f}, and the loss is {wild['loss'][-1]:.1e} where the atom alone (sigma = 0) stops at "
        f"{wild['atom']['loss'][-1]:.1e}. A global minimiser has INT c p(c, h) dc = 2 on all of [0, 1]: the "
        "uniform row of knots with c = 2 is one, and its last stretch fills slowly. Not printed in the paper and "
        "chosen here: sigma, the two starts, the draw and the end time."
    )


def _alt(data: Data) -> str:
    return (
        "Two panels in the plane of charge and knot. Left: a bundle of paths that climbs to h = 1 and stays together. "
        "Right: a bundle that bends towards a star and fans out along h into a nearly vertical row."
    )


def _span(parts: list[np.ndarray], k: int) -> tuple[float, float]:
    """The least and the largest coordinate of all paths."""
    return min(float(np.min(rows[..., k])) for rows in parts), max(float(np.max(rows[..., k])) for rows in parts)


@figure(_compute, caption=_caption, alt=_alt, size=(10.0, 5.4), cost=Cost(6.0, 15.0), parameters=PARAMETERS)
def fig2(sheet: Sheet, data: Data) -> None:
    """Clouds around a stable and an unstable atom."""
    pair = sheet.subplots(1, 2)
    # Panels of one scale, so that the widths can be compared.
    seen = {name: [data[name]["rows"], data[name]["atom"]["rows"]] for name in _STARTS}
    spans = {name: [_span(rows, k) for k in range(2)] for name, rows in seen.items()}
    half = max(0.55, *(0.52 * (high - low) for (low, high), _ in spans.values()))
    bottom, top = min(low for _, (low, _) in spans.values()), max(high for _, (_, high) in spans.values())
    for axes, name in zip(pair, _STARTS, strict=True):
        one = data[name]
        for path in np.swapaxes(one["rows"], 0, 1):
            curve(axes, *path.T, tint=4, lw=0.6, zorder=1)
        curve(axes, *one["atom"]["rows"].T, lw=1.6, ls="--", zorder=3, label=r"$\sigma$ = 0")
        marks(axes, *one["rows"][0].T, tint=0, marker="o", ms=5, mfc="white", zorder=4, label="start")
        marks(axes, *one["rows"][-1].T, tint=1, marker="s", ms=5, zorder=4, label="end")
        axes.axhline(1.0, color="#777777", lw=1.0)
        middle = 0.5 * sum(spans[name][0])
        axes.set(xlabel="charge c", xlim=(middle - half, middle + half))
        axes.set_ylim(min(-0.15, bottom - 0.05), max(1.1, top + 0.05))
        title(axes, f"{name}: loss {one['loss'][0]:.2g} → {one['loss'][-1]:.2g}", 12)
    marks(pair[1], *np.array([ATOM]).T, marker="*", ms=17, zorder=5, label="$(c_*, h_*)$")
    pair[0].set_ylabel("knot h")
    sheet.suptitle(
        f"f(x) = x², N = {data['width']} weights from N((c₀, h₀), $\\sigma^2$), $\\sigma$ = {data['sigma']:g}, "
        f"(c₀, h₀) = (-1, 0.2) and (1, 0), to t = {data['stable']['t'][-1]:,.0f}",
        fontsize=11,
    )
    legend_below(sheet, pair[1], 4)
