"""A paper of two figures and four claims, for the tests of what every paper shares. Imported by its name only."""

import numpy as np

from widelimit.papers import Claim, Cost, Figure, Finding, Paper, Verdict

CALLS = []
"""What was computed, in order; a test may empty it."""

STOP_AT = []
"""The sines named here stop with Ctrl-C."""


def sine(frequency, points):
    # Taken when it runs: the lists are no part of what a piece depends on.
    import tiny_paper

    if frequency in tiny_paper.STOP_AT:
        raise KeyboardInterrupt
    tiny_paper.CALLS.append(("sine", frequency, points))
    t = np.linspace(0.0, 1.0, points)
    return {"t": t, "y": np.sin(frequency * t)}


def nested(points):
    return {"rows": [{"x": np.zeros(points)}]}


def _waves(bench):
    points = bench.pick(quick=5, paper=9)
    curves = {f: bench.piece(sine, frequency=f, points=points) for f in (1.0, 2.0)}
    return {"t": curves[1.0]["t"], "one": curves[1.0]["y"], "two": curves[2.0]["y"]}


def _on(sheet, data):
    sheet.add_subplot().plot(data["t"], data["one"])


def _broken(bench):
    raise ValueError("the moon is not full")


def _claim(id, compute, **more):
    fixed = {"statement": f"The {id} <claim>.", "where": "Lemma 9", "printed": 0.84, "cost": Cost(0.1, 30.0)}
    return Claim(id=id, compute=compute, tolerance=0.005, reason="two digits", **{**fixed, **more})


def _end(bench):
    value = bench.piece(sine, frequency=1.0, points=bench.pick(quick=5, paper=9))["y"][-1]
    return Finding(value, abs(value - 0.84))


def _wrong(bench):
    return Finding({"here": 1.25, "there": np.inf}, 0.41, "The print is of another function.")


def figure(name, **more):
    parts = {
        "title": f"Waves of {name}",
        "compute": _waves,
        "on": _on,
        "size": (3.0, 2.0),
        "caption": lambda data: f"It ends at {data['one'][-1]:.2f}.",
        "alt": lambda data: "A wave.",
        "cost": Cost(5.0, 200.0),
    }
    return Figure(name=name, **{**parts, **more})


paper = Paper(
    name="tiny",
    citation="A. Author: On waves. 1999.",
    figures=(figure("fig1"), figure("fig2")),
    claims=(
        _claim("end", _end),
        _claim("slip", _end, misprint="a sign", expected=Verdict.CORRECTED),
        _claim("lost", _wrong, expected=Verdict.NOT_REPRODUCED),
    ),
)

bad_paper = Paper(
    name="bad",
    citation="A. Author: On moons. 1999.",
    figures=(figure("dark", compute=_broken), figure("light")),
    claims=(_claim("end", _end), _claim("surprise", _wrong), _claim("broken", _broken)),
)
