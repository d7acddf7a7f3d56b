"""Claims on bounded Theta, and on Theorem 2 where its hypotheses hold and where they fail."""

import numpy as np

from widelimit.theory import teacherstudent2020 as theory

from ..._kit import Bench, Cost, Finding, claim
from ..._kit._shares import apart, apart_relative, largest, share_allowed
from ..runs._walls import INSIDE, OUTSIDE, TIMES, WALL, grids, in_ball, students


@claim("2.1, bounded Theta", tolerance=1.0, cost=Cost(10.0, 60.0), digits=3)
def no_flux(bench: Bench) -> Finding:
    """In a bounded Theta both the particles and the equation have no flux through the wall: velocities lose what leads
    out of Theta, mass gathers on the wall as an atom and may leave it again.
    Printed: normal reflection of the particles, d rho/dn = 0 for the equation.
    Compared: share of what is allowed: tanh, Theta = [-1, 1], the teacher's atom at 0.8, 200 particles spread evenly:
    their paths up to t = 40 by the library's flow against Euler's method with clipped steps of 0.02 in NumPy: 0.03; the
    mass of the equation's last cell from t = 1 to 10 against that of the particles on the wall: 0.05 for 100 cells, and
    from each number of cells to its double 0.7 times as far (it is of first order); all mass to 1e-12. A fifth of all
    mass must sit on the wall at some time and none at t = 40.
    Misprint: the equation is of first order and has no condition on d rho/dn; on the wall rho has no density."""
    found = students(bench, INSIDE)
    count = len(TIMES)
    start, wall = found["paths"][0], found["wall"][:count]
    exact = theory.box_flow(start, found["x"][:, 0], found["y"], found["mu"], WALL, TIMES, 0.02)
    off = apart(found["paths"][:count], exact)
    early = (TIMES >= 1.0) & (TIMES <= 10.0)
    fields = grids(bench, INSIDE)
    far = [apart(one["wall"][early], wall[early]) for one in fields.values()]
    mass = largest(*(np.abs(one["mass"] - 1.0) for one in fields.values()))
    computed = {"paths apart": off, "mass on the wall, largest": largest(wall), "at t = 40": float(wall[-1])}
    computed |= {f"last cell apart, {n} cells": one for n, one in zip(fields, far, strict=True)}
    halved = np.array(far[1:]) / np.array(far[:-1])
    needs = {"mass gathers": largest(wall) > 0.2, "and leaves": float(wall[-1]) == 0.0}
    return Finding(computed, share_allowed((off, 0.03), (far[0], 0.05), (halved, 0.7), (mass, 1e-12)), needs=needs)


@claim("Theorem 2", tolerance=1.0, cost=Cost(4.0), digits=3)
def teacher_inside(bench: Bench) -> Finding:
    """With the teacher inside Theta nothing keeps a positive loss at rest: the student's loss goes to zero.
    Compared: share of what is allowed: 1e-6 of E y^2 for the loss of the student of no-flux at t = 6400, by the
    library; E must fall at every save. (Its support ends far from all of Theta: the theorem's hypothesis is not needed
    here.)"""
    found = students(bench, INSIDE)
    falls = bool(np.all(np.diff(found["risk"]) <= 0.0))
    return Finding({"loss": found["loss"]}, share_allowed((found["loss"], 1e-6)), needs={"E falls": falls})


@claim("Theorem 2, rho > 0 on Theta", tolerance=1.0, cost=Cost(4.0), digits=4)
def teacher_outside(bench: Bench) -> Finding:
    """Theorem 2 needs rho > 0 on Theta: with the teacher outside a student rests with positive loss, all its mass on
    the wall, at the minimum over all measures on Theta.
    Compared: share of what is allowed: tanh, Theta = [-1, 1], the teacher's atom at 1.4: the loss at t = 6400 by the
    library against E (tanh(x) - tanh(1.4 x))^2 over E y^2 in NumPy, relative: 1e-9; all mass on the wall, the library's
    psi there its least on Theta: 1e-12 of its range. The library must find it at rest with a loss that is not zero,
    and name the teacher and the wall as what fails."""
    found = students(bench, OUTSIDE)
    y = found["y"]
    exact = float(found["mu"] @ (np.tanh(WALL * found["x"][:, 0]) - y) ** 2) / float(found["mu"] @ y**2)
    psi = found["psi"]
    excess = float(psi[-1] - np.min(psi)) / float(np.ptp(psi))
    failed = "; ".join(str(one) for one in found["failed"])
    needs = {
        "at rest": bool(found["rests"]),
        "the loss is not zero": not found["zero"],
        "the library names the teacher": not found["inside"] and "outside Theta" in failed,
        "and the wall": "wall" in failed,
    }
    wall = float(found["wall"][-1])
    computed = {"loss over E y^2": found["loss"], "mass on the wall": wall, "failed": failed}
    parts = (apart_relative(found["loss"], exact), 1e-9), (abs(wall - 1.0), 1e-12), (excess, 1e-12)
    return Finding(computed, share_allowed(*parts), needs=needs)


# Of the atom outside the ball |theta| <= 1.
_FAR = np.array([1.5, 0.5])


@claim("2.1, a ball; Theorem 2", tolerance=1.0, cost=Cost(10.0), digits=5)
def teacher_outside_ball(bench: Bench) -> Finding:
    """The same in a ball, along whose wall particles slide: all of them come together at the best neuron of the ball.
    Compared: share of what is allowed: tanh of two inputs, |theta| <= 1, the teacher's atom at (1.5, 0.5), 60 particles
    spread over the ball, at t = 1000: each within 1e-3 of the point of the circle with the least loss, from 20000
    angles in NumPy; the library's loss against that one, relative, 1e-6; all mass on the wall; the library's psi there
    is its least over the ball, to 1e-9 of the largest. It must find it at rest, with a loss that is not zero and the
    teacher outside."""
    found = bench.piece(in_ball, centre=_FAR, end=1000.0)
    angle = np.linspace(0.0, np.pi, 20001)[1:]
    circle = WALL * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    y, mu = found["y"], found["mu"]
    losses = (np.tanh(circle @ found["x"].T) - y) ** 2 @ mu / (mu @ y**2)
    best = circle[np.argmin(losses)]
    excess = (largest(found["psi"]) - float(np.min(found["elsewhere"]))) / largest(np.abs(found["psi"]))
    needs = {
        "at rest": bool(found["rests"]),
        "the loss is not zero": not found["zero"],
        "the library sees the teacher outside": not found["inside"],
    }
    computed = {"end": found["rows"][0], "best neuron": best, "loss over E y^2": found["loss"]}
    parts = (
        (apart(found["rows"], best), 1e-3),
        (apart_relative(found["loss"], np.min(losses)), 1e-6),
        (abs(float(found["wall"]) - 1.0), 1e-12),
        (max(excess, 0.0), 1e-9),
    )
    return Finding(computed, share_allowed(*parts), needs=needs)
