"""The minimum over measures, certified: `minimise` against the same convex problem on a grid by cvxpy and Clarabel.

mei2018's reduced problem at d = 40; the peer's grid has 1,001 points in r/(1 + r), and its risk is at most the grid's
error above ours.

    python benchmarks/bench_certified.py [--rounds 5] [--json results/bench_certified.json]

Needs the `test` extra (cvxpy, clarabel).
"""

import cvxpy
from bench_minimise import CELLS, DIM, table_on_grid
from race import Race, seconds

import widelimit as wl


def on_grid(problem: wl.Problem) -> float:
    """The least risk of a probability on the grid."""
    table, y = table_on_grid(problem)
    p = cvxpy.Variable(CELLS + 1, nonneg=True)
    convex = cvxpy.Problem(cvxpy.Minimize(cvxpy.sum_squares(table @ p - y)), [cvxpy.sum(p) == 1])
    return float(convex.solve(solver=cvxpy.CLARABEL))


def main() -> None:
    race = Race(__doc__, "cvxpy", "clarabel", rounds=5)
    for delta in (0.3, 0.7):
        problem = wl.problems.isotropic_gaussians(delta=delta, dim=DIM).reduced()
        first = seconds(lambda problem=problem: wl.minimise(problem))
        best = wl.minimise(problem)
        if not best.certified:
            raise SystemExit(f"bench_certified.py: delta {delta}: not certified.")
        race.row(
            f"minimum over measures, d = 40, Delta = {delta}, gap {float(best.gap):.1e}, certified",
            "cvxpy and Clarabel on 1,001 points, no bound",
            lambda problem=problem: seconds(lambda: wl.minimise(problem)),
            lambda problem=problem: seconds(lambda: on_grid(problem)),
            wanted=10.0,
            apart=abs(on_grid(problem) - float(best.risk)),
            allowed=1e-5,
            first=first,
        )
    race.end()


if __name__ == "__main__":
    main()
