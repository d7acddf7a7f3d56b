"""Claims on single atoms: Fig. 1, the stationary ones, and what happens at h = 1."""

import math

import numpy as np

from widelimit import analysis
from widelimit.measure import Particles
from widelimit.theory import yarotsky2018 as theory

from ..._kit import Bench, Cost, Data, Finding, claim
from ..._kit._shares import apart, apart_relative, growth, largest, share_allowed, table
from ..figures._fig1 import border_of, kinds, paths
from ..runs._square import ATOM, flow, spline


@claim("3.1 and Fig. 1", tolerance=1e-6, cost=Cost(18.0, 105.0))
def fig1_two_ends(bench: Bench) -> Finding:
    """Single atoms converge to a stationary atom of one of two kinds: (c_*, h_*), or h >= 1.
    Printed: converge to stationary atomic distributions of one of the two kinds.
    Compared: largest distance from the nearer kind of end at t = 3000 over the grid of starts, both kinds present; the
    slower rate at (c_*, h_*) is 0.019, so what is left there is the tolerance of the integration."""
    left, right, far = kinds(paths(bench))
    computed = {
        "starts": len(left),
        "to (c_*, h_*)": left.sum(),
        "to h >= 1": right.sum(),
        "farthest from its end": np.max(far),
    }
    return Finding(computed, largest(far), needs={"both kinds are there": np.any(left) and np.any(right)})


def bisected(h: float, steps: int, end: float) -> Data:
    """The charge that parts the starts (c, h) by their ends, by runs of the library."""
    low, high = -2.0, 0.0
    for _ in range(steps):
        middle = 0.5 * (low + high)
        lost = flow([[middle, h]], [0.0, end]).positions[-1, 0, 0] < 0.0
        low, high = (middle, high) if lost else (low, middle)
    return {"low": low, "high": high}


@claim("Fig. 1 (not printed)", tolerance=2e-5, cost=Cost(20.0, 105.0))
def fig1_border(bench: Bench) -> Finding:
    """The starts of the two kinds are parted by the path that runs into (c, h) = (0, 1), along c = -(1 - h)/sqrt 2 at
    last.
    Compared: starts of the grid on the wrong side, plus the largest distance between the border, from the closed
    velocity by SciPy backwards in time, and a bisection of 18 steps of 2^-17 with runs of the library."""
    data, line = paths(bench), border_of(bench)
    first = data["paths"][:, 0]

    def border(h: np.ndarray) -> np.ndarray:
        # c as a function of h on the border, which runs from h = 1 downwards.
        return np.interp(h, line["h"][::-1], line["c"][::-1])

    wrong = int(np.sum(kinds(data)[0] != ((first[:, 1] < 1.0) & (first[:, 0] > border(first[:, 1])))))
    knots = np.array([0.0, 0.5, 0.8])
    found = [bench.piece(bisected, h=float(h), steps=18, end=2000.0) for h in knots]
    middle = [0.5 * (ends["low"] + ends["high"]) for ends in found]
    rows = table("h", knots, {"border": border(knots), "by bisection": middle})
    return Finding({"starts on the wrong side": wrong, **rows}, wrong + apart(border(knots), middle))


def rest(charges: list[float], knots: list[float]) -> Data:
    """The single atom of the library, its residual, and what moves at h >= 1."""
    problem = spline()
    family = analysis.stationary_atoms(problem, 1)
    one = [found for found in family if not found.has_left_mass]
    start = Particles(np.array([[1.0, 0.4]]), blocks=problem.blocks)
    right = np.array([[c, h] for c in charges for h in knots])
    alone = [Particles(row[None], blocks=problem.blocks) for row in right]
    return {
        "atoms": [[found.masses[0], found.knots[0]] for found in one],
        "solved": analysis.fixed_point(problem, start).positions[0],
        "residual": analysis.stationarity(problem, one[0].measure()).conditions,
        "violation": [analysis.orthogonality(problem, rho).violation for rho in alone],
        "all": family.complete == "all",
        "moved": apart(flow(right, [0.0, 10.0]).positions[-1], right),
        "speed": largest(np.abs(theory.atom_velocity(right[:, 0], right[:, 1]))),
    }


def _rest(bench: Bench) -> Data:
    return bench.piece(rest, charges=[-2.0, -0.3, 0.0, 1.7], knots=[1.0, 1.1, 3.0])


@claim(
    "3.1, first and second paragraph; A.5, case 1",
    printed={"c_*": (4.0 + math.sqrt(6.0)) / 5.0, "h_*": (math.sqrt(6.0) - 1.0) / 5.0},
    tolerance=1.0,
    cost=Cost(5.0),
    digits=13,
)
def single_atom(bench: Bench) -> Finding:
    """The only stationary atom with h < 1 is (c_*, h_*) = ((4 + sqrt 6)/5, (sqrt 6 - 1)/5).
    Compared: share of what is allowed: 1e-12 between the print and each of analysis.stationary_atoms and Newton's
    method on the fixed-point equation, and 1e-12 in each of Proposition 1's conditions, relative to their parts."""
    found = _rest(bench)
    (c, h), *others = found["atoms"]
    computed = {
        "c_*": c,
        "h_*": h,
        "Newton's method": found["solved"],
        "Proposition 1": largest(found["residual"]),
        "no other": bool(found["all"]),
    }
    off = apart([[c, h], found["solved"]], ATOM)
    alone = {"it is the only one": found["all"] and not others}
    return Finding(computed, share_allowed((off, 1e-12), (found["residual"], 1e-12)), needs=alone)


@claim("3.1; A.5, observation 1", tolerance=0.0, cost=Cost(5.0))
def right_of_interval(bench: Bench) -> Finding:
    """Any distribution on {h >= 1} is stationary.
    Compared: nothing may move: the velocity, the orthogonality of the error and a run of 12 atoms together."""
    found = _rest(bench)
    computed = {"atoms": len(found["violation"]), "moved by t = 10": found["moved"]}
    return Finding(computed, largest(found["moved"], found["violation"], found["speed"]))


def edge(charge: float, depth: float, end: float) -> Data:
    """A cloud on both sides of h = 1: how fast 1 - h falls on the left, and whether the right moves."""
    rows = np.stack([np.full(6, charge), 1.0 + depth * np.array([-1.0, -0.5, -0.1, 0.1, 0.5, 1.0])], axis=1)
    run = flow(rows, np.linspace(0.0, end, 11), atol=1e-16)
    return {"rates": growth(run.times, 1.0 - run.positions[:, :3, 1]), "moved": apart(run.positions[:, 3:], rows[3:])}


@claim(
    "3.1, end (the print does not say that only h >= 1 has them, nor that one side is neutral)",
    tolerance=2e-3,
    cost=Cost(3.0),
)
def negative_charge(bench: Bench) -> Finding:
    """Stationary atoms with c < 0 are stable in h: they are those at h = 1, where the side h < 1 contracts as exp(c t)
    and the side h >= 1 rests. In h < 1 there is none with c < 0: all move right.
    Printed: stationary points with c_* < 0 are stable and contractive in the h direction.
    Compared: relative error of the fitted rates of 1 - h against c, from 1 - h <= 1e-3, which adds that much; plus any
    motion at h >= 1; dh/dt must be positive on a grid of c < 0, h < 1."""
    charges = (-0.5, -1.5)
    found = [bench.piece(edge, charge=c, depth=1e-3, end=6.0) for c in charges]
    c, h = np.meshgrid(-np.geomspace(1e-3, 1e3, 61), np.linspace(-2.0, 0.99, 300))
    slowest = np.min(theory.atom_velocity(c, h)[..., 1])
    off = largest(*(apart_relative(one["rates"], c) for c, one in zip(charges, found, strict=True)))
    moved = largest(*(one["moved"] for one in found))
    computed = table("c", charges, {"rate at h = 1": [np.mean(one["rates"]) for one in found]})
    computed |= {"least dh/dt over c < 0, h < 1": slowest, "moved on the right": moved}
    return Finding(computed, off + moved, needs={"dh/dt > 0 on the grid": slowest > 0.0})
