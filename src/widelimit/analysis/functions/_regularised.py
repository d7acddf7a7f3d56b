r"""Regularised least squares in singular values: $\min |A g - b|^2$, its filters, and how much to filter.

With $A = \sum_k s_k u_k v_k^T$ and $b_k = \langle u_k, b\rangle$ the solution is $g = \sum_k \varphi_k b_k / s_k\, v_k$
with filter factors $\varphi_k$: residual$^2 = \sum_k (1 - \varphi_k)^2 b_k^2 + |b_\perp|^2$ and norm$^2 = \sum_k
(\varphi_k b_k / s_k)^2$, both without forming A^T A, whose condition number is that of A squared.
"""

import abc
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Array, Float

from widelimit.numerics import Module, leaf, on_host, whole_number

# Strengths of Tikhonov's method that the L-curve is drawn for, and how far beyond the singular values' squares.
_STRENGTHS, _BEYOND = 400, 1e2


class Picture(NamedTuple):
    """What least squares are in singular values: s [r], the sums of b_k^2 over outputs [r], and |b_perp|^2."""

    singular: Float[np.ndarray, " r"]
    squares: Float[np.ndarray, " r"]
    outside: float

    @property
    def size(self) -> float:
        """|b|."""
        return float(np.sqrt(np.sum(self.squares) + self.outside))

    def residual(self, filters: Any) -> Float[np.ndarray, "..."]:
        """|A g - b| for filter factors [..., r]."""
        return np.asarray(np.sqrt((1.0 - filters) ** 2 @ self.squares + self.outside))

    def norm(self, filters: Any) -> Float[np.ndarray, "..."]:
        """|g|."""
        return np.asarray(np.sqrt((filters / self.singular) ** 2 @ self.squares))

    def damped(self, strengths: Any) -> Float[np.ndarray, "... r"]:
        """Tikhonov's filters s^2 / (s^2 + strength)."""
        return 1.0 / (1.0 + np.asarray(strengths)[..., None] / self.singular**2)

    def cut(self) -> Float[np.ndarray, "r r"]:
        """The filters that keep the first 1, ..., r singular values."""
        return np.tril(np.ones((len(self.singular), len(self.singular))))


class AbstractRule(Module):
    """How much to filter, from the data themselves."""

    @abc.abstractmethod
    def strength(self, picture: Picture) -> float:
        """Of Tikhonov's method."""

    @abc.abstractmethod
    def modes(self, picture: Picture) -> int:
        """How many singular values to keep."""


class Discrepancy(AbstractRule):
    """Morozov's principle: the most filtering with |f - phi G| <= `error`, the error that f is known to, in L2(mu).

    This epsilon is that of rotskoff2018 (1.13). Raises `ValueError` unless error > 0, and in use where it is not
    between the least residual and |f|.
    """

    error: Float[Array, ""]

    def __init__(self, error: Any) -> None:
        self.error = leaf(error, "Discrepancy(error=...)", above=0.0)

    def strength(self, picture: Picture) -> float:
        from scipy.optimize import brentq

        error = self._checked(picture)

        def over(log: float) -> float:
            return float(picture.residual(picture.damped(np.exp(log)))) - error

        # The residual rises from sqrt(outside) to |f| as the strength goes from 0 to infinity.
        low, high = (2.0 * np.log(picture.singular[k]) for k in (-1, 0))
        while over(low) > 0.0:
            low -= 5.0
        while over(high) < 0.0:
            high += 5.0
        found: Any = brentq(over, low, high, xtol=1e-12)
        return float(np.exp(found))

    def modes(self, picture: Picture) -> int:
        error = self._checked(picture)
        return 1 + int(np.argmax(picture.residual(picture.cut()) <= error))

    def _checked(self, picture: Picture) -> float:
        error, least = float(self.error), float(picture.residual(np.ones_like(picture.singular)))
        if not least < error < picture.size:
            raise ValueError(
                f"Discrepancy(error=...): must lie between the least residual on this support, {least:.3g}, and the "
                f"norm of the target, {picture.size:.3g}; got {error:.3g}."
            )
        return error


class LCurve(AbstractRule):
    """The corner of the curve of log norm against log residual: where less filtering stops to pay.

    For Tikhonov's method the place of largest curvature; for truncation the point farthest below the chord between the
    ends. It needs no error of f, and can be off where the curve has no clear corner: a target without any error has
    none but rounding.
    """

    def strength(self, picture: Picture) -> float:
        least, most = picture.singular[-1] ** 2 / _BEYOND, picture.singular[0] ** 2 * _BEYOND
        logs = np.linspace(np.log(least), np.log(most), _STRENGTHS)
        filters = picture.damped(np.exp(logs))
        x, y = np.log(picture.residual(filters)), np.log(picture.norm(filters))
        dx, dy = np.gradient(x, logs), np.gradient(y, logs)
        bend = dx * np.gradient(dy, logs) - np.gradient(dx, logs) * dy
        with np.errstate(divide="ignore", invalid="ignore"):
            curvature = bend / (dx**2 + dy**2) ** 1.5
        # Where neither moves there is no curve.
        return float(np.exp(logs[int(np.argmax(np.nan_to_num(curvature, nan=-np.inf, posinf=-np.inf)))]))

    def modes(self, picture: Picture) -> int:
        cut = picture.cut()
        tiny = np.finfo(float).tiny
        x, y = np.log(np.maximum(picture.residual(cut), tiny)), np.log(np.maximum(picture.norm(cut), tiny))
        along, up = x[-1] - x[0], y[-1] - y[0]
        # The distance below the chord, times its length; x falls along it.
        return 1 + int(np.argmax(along * (y - y[0]) - up * (x - x[0])))


class AbstractRegularisation(Module):
    """Which filters."""

    @abc.abstractmethod
    def pick(self, picture: Picture) -> tuple[Float[np.ndarray, " r"], float]:
        """The filter factors, and the parameter that was given or picked."""


class Tikhonov(AbstractRegularisation):
    r"""$\min |f - \phi G|^2_{L^2(\mu)} + \alpha\,|G|^2_{L^2}$: filters $s^2/(s^2 + \alpha)$.

    `strength`: alpha > 0, or a rule that picks it, `LCurve()` or `Discrepancy(error)`.
    """

    given: Float[Array, ""] | AbstractRule

    def __init__(self, strength: Any = None) -> None:
        strength = LCurve() if strength is None else strength
        rule = isinstance(strength, AbstractRule)
        self.given = strength if rule else leaf(strength, "Tikhonov(strength=...)", above=0.0)

    def pick(self, picture: Picture) -> tuple[Float[np.ndarray, " r"], float]:
        given = self.given
        alpha = given.strength(picture) if isinstance(given, AbstractRule) else float(on_host(given))
        return picture.damped(alpha), alpha


class Truncated(AbstractRegularisation):
    """The least squares in the first `modes` singular vectors: filters 1 and 0.

    `modes`: a whole number of at least 1, or a rule that picks it, `LCurve()` or `Discrepancy(error)`. More than there
    are above rounding are all of them.
    """

    given: int | AbstractRule

    def __init__(self, modes: Any = None) -> None:
        modes = LCurve() if modes is None else modes
        self.given = modes if isinstance(modes, AbstractRule) else whole_number(modes, "Truncated(modes=...)", least=1)

    def pick(self, picture: Picture) -> tuple[Float[np.ndarray, " r"], float]:
        given, most = self.given, len(picture.singular)
        kept = min(given.modes(picture) if isinstance(given, AbstractRule) else given, most)
        return np.where(np.arange(most) < kept, 1.0, 0.0), float(kept)
