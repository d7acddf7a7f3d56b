r"""Least squares of $m = C x^{-a} + c$, by its profile in a: for given a what is left is linear."""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

# Exponents are looked for up to this over log(x_max / x_min), or up to the second where that is more.
_REACH, _LEAST_REACH = 60.0, 16.0
_GRID = 401
_FINE = {"xatol": 1e-10}
# |a log x| below which x^-a - 1 is a multiple of log x to rounding.
_SMALL = 1e-9
# Rounds of Fisher scoring for the variances, and the largest change of a log variance in one.
_ROUNDS, _LEAP = 50, 2.0
# Rows from which the log variance may bend.
_BENDS = 5


class Spread(NamedTuple):
    """Standard errors of the rows' means, smooth in log x, and the degrees of freedom behind them."""

    errors: Float[np.ndarray, " K"]
    freedom: float


class Fit(NamedTuple):
    """`chi2` is the sum of squares at the best exponent; `count` the number of parameters."""

    exponent: float
    prefactor: float
    floor: float
    chi2: float
    count: int


class PowerLaw(NamedTuple):
    """What is fitted: `y` with standard errors at log x; the floor is 0 (`floor` False) or free.

    `logs`: y is the log of the mean, a line in log x; without, the mean itself.
    """

    log_x: Float[np.ndarray, " K"]
    y: Float[np.ndarray, " K"]
    errors: Float[np.ndarray, " K"]
    logs: bool
    floor: bool

    @property
    def count(self) -> int:
        """Parameters."""
        return 3 if self.floor else 2

    def chi2(self, exponents: Any) -> Float[np.ndarray, " G"]:
        """The least sum of squares at each exponent."""
        return self._solve(np.atleast_1d(np.asarray(exponents, float)))[1]

    def _solve(self, a: Float[np.ndarray, " G"]) -> tuple[Float[np.ndarray, "G 2"], Float[np.ndarray, " G"]]:
        """The coefficients of power and constant (in logs, of the constant alone) and chi2 at each exponent.

        The power is taken in units of its largest value, or as in `_apart`.
        """
        w, y = self.errors**-2.0, np.broadcast_to(self.y, (len(a), len(self.y)))
        power = -a[:, None] * self.log_x
        if self.logs:
            rest = y - power
            constant = rest @ w / np.sum(w)
            return np.stack([np.ones_like(a), constant], axis=1), (rest - constant[:, None]) ** 2 @ w
        column = self._apart(a) if self.floor else np.exp(power - np.max(power, axis=1, keepdims=True))
        shares = w / np.sum(w) if self.floor else np.zeros_like(w)
        centred, level = column - (column @ shares)[:, None], y @ shares
        slope = (centred * (y - level[:, None])) @ w / (centred**2 @ w)
        constant = level - slope * (column @ shares)
        rest = y - slope[:, None] * column - constant[:, None]
        return np.stack([slope, constant], axis=1), rest**2 @ w

    def _apart(self, a: Float[np.ndarray, " G"]) -> Float[np.ndarray, "G K"]:
        """x^-a - 1, x in units of the middle, over its largest size: it tends to log x as a to 0."""
        middle = self.log_x - np.mean(self.log_x)
        shift = np.abs(a)[:, None] * np.max(np.abs(middle))
        values = np.where(shift < _SMALL, middle, np.expm1(-a[:, None] * middle) * np.exp(-shift))
        return values / np.max(np.abs(values), axis=1, keepdims=True)

    @property
    def reach(self) -> float:
        """The largest exponent that is looked at."""
        return max(_REACH / float(np.ptp(self.log_x)), _LEAST_REACH)

    def fit(self) -> Fit:
        """The best exponent, refined between the points of a grid."""
        from scipy.optimize import minimize_scalar

        grid = self._grid()
        chi2 = self.chi2(grid)
        i = int(np.argmin(chi2))
        ends = (float(grid[max(i - 1, 0)]), float(grid[min(i + 1, _GRID - 1)]))
        found: Any = minimize_scalar(lambda a: float(self.chi2(a)[0]), bounds=ends, method="bounded", options=_FINE)
        best = float(found.x) if found.fun <= chi2[i] else float(grid[i])
        return Fit(best, *self._coefficients(best), float(self.chi2(best)[0]), self.count)

    def _grid(self) -> Float[np.ndarray, " G"]:
        return np.linspace(-self.reach, self.reach, _GRID)

    def _coefficients(self, exponent: float) -> tuple[float, float]:
        """(C, c) in the units of x itself."""
        slope, constant = self._solve(np.array([exponent]))[0][0]
        if self.logs:
            return float(np.exp(constant)), 0.0
        if not self.floor:
            return float(slope * np.exp(np.min(exponent * self.log_x))), 0.0
        # The fitted function at its two ends says C and c.
        ends = [int(np.argmin(self.log_x)), int(np.argmax(self.log_x))]
        powers = np.exp(-exponent * self.log_x[ends])
        values = slope * self._apart(np.array([exponent]))[0][ends] + constant
        if powers[0] == powers[1]:
            return 0.0, float(np.mean(values))
        c = (values[0] - values[1]) / (powers[0] - powers[1])
        return float(c), float(values[0] - c * powers[0])

    def interval(self, best: Fit, rise: float) -> tuple[float, float]:
        """The exponents at which chi2 is no more than `rise` above its least; infinite where it does not rise so."""
        from scipy.optimize import brentq

        grid, limit = self._grid(), best.chi2 + rise
        inside = self.chi2(grid) <= limit
        ends = []
        for side in (-1, 1):
            outer = grid[inside & (side * (grid - best.exponent) > 0)]
            start = float(side * np.max(side * outer)) if len(outer) else best.exponent
            beyond = grid[side * (grid - start) > 0]
            if not len(beyond):
                ends.append(side * np.inf)
            elif self.chi2(start)[0] >= limit:
                # Without scatter the interval is a point.
                ends.append(start)
            else:
                stop = float(side * np.min(side * beyond))
                crossing: Any = brentq(lambda a: float(self.chi2(a)[0]) - limit, start, stop)
                ends.append(float(crossing))
        return ends[0], ends[1]


def smooth_spread(
    log_x: Float[np.ndarray, " K"], variances: Float[np.ndarray, " K"], seeds: Float[np.ndarray, " K"], bends: bool
) -> Spread:
    r"""Standard errors from the rows' variances, smoothed: log sigma^2 a line in log x, or a parabola where it `bends`.

    By the quasi-likelihood of $s^2 \sim \sigma^2 \chi^2_\nu/\nu$. A row of few seeds that happens to scatter little
    would else weigh far too much. Rows of one seed borrow from the others.
    """
    known = seeds > 1
    freedom = np.where(known, seeds - 1.0, 0.0)
    middle = (log_x - np.mean(log_x)) / np.ptp(log_x)
    columns = np.stack([middle**k for k in range(3 if bends and np.count_nonzero(known) >= _BENDS else 2)], axis=1)
    columns = columns if np.count_nonzero(known) > 1 else columns[:, :1]
    beta = np.zeros(columns.shape[1])
    beta[0] = np.log(np.sum(freedom * np.where(known, variances, 0.0)) / np.sum(freedom))
    root = np.sqrt(freedom)[:, None]
    for _ in range(_ROUNDS):
        surplus = np.where(known, variances, 0.0) * np.exp(-columns @ beta) - 1.0
        change = np.linalg.lstsq(root * columns, root[:, 0] * surplus, rcond=None)[0]
        change *= min(1.0, _LEAP / max(float(np.max(np.abs(columns @ change))), 1e-300))
        beta = beta + change
        if np.max(np.abs(change)) < 1e-10:
            break
    fitted = np.exp(columns @ beta)
    # Heavy tails: variances that scatter more than chi-squared ones have fewer degrees of freedom than their seeds say.
    left = np.count_nonzero(known) - columns.shape[1]
    wide = np.sum(0.5 * freedom * (np.where(known, variances / fitted, 1.0) - 1.0) ** 2) / left if left > 0 else 1.0
    # What is fitted beyond one common variance is paid for, too.
    paid = float(np.sum(freedom)) - columns.shape[1] + 1.0
    return Spread(np.sqrt(fitted / seeds), max(1.0, paid / max(1.0, float(wide))))
