"""A statement of a paper that can be checked, and what the check found."""

import dataclasses
import enum
import math
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from ._bench import Bench, Cost, Scale

Value = float | int | bool | str | None
Values = Value | Mapping[str, Value]
"""A number or a word, or several with their names."""


class Verdict(enum.Enum):
    """What became of a claim."""

    REPRODUCED = "reproduced"
    CORRECTED = "reproduced after correcting a misprint"
    NOT_REPRODUCED = "not reproduced"


@dataclasses.dataclass(frozen=True)
class Finding:
    """What a claim's function found.

    - `computed`: the numbers to be shown and stored.
    - `deviation`: how far they are from the statement, >= 0, in the units of the claim's tolerance.
    - `why`: what a reader should know of it; needed where the claim is not reproduced.
    """

    computed: Any
    deviation: float
    why: str = ""


@dataclasses.dataclass(frozen=True)
class Claim:
    """A statement and how to check it.

    - `id`: short, in lower case, unique in its paper.
    - `statement`: the claim in one or two sentences; corrected where the print is wrong.
    - `where`: where it is printed: "Lemma 1, text after".
    - `printed`: the printed number or formula; None where only words are printed.
    - `compute`: from a bench to a `Finding`.
    - `tolerance`, `reason`: the claim is reproduced when the deviation is at most this; what is compared, and why this
      much.
    - `misprint`: what the print gets wrong; the verdict is then "reproduced after correcting a misprint".
    - `expected`: what is known of it: a claim known not to be reproduced is no news.
    - `digits`: significant digits to show.

    **Raises** `ValueError` for a misprint that is not expected to be corrected, and the other way round.
    """

    id: str
    statement: str
    where: str
    printed: Values
    compute: Callable[[Bench], Finding]
    tolerance: float
    reason: str
    cost: Cost
    misprint: str = ""
    expected: Verdict = Verdict.REPRODUCED
    digits: int = 6

    def __post_init__(self) -> None:
        if not 0.0 <= self.tolerance < math.inf:
            raise ValueError(f"Claim({self.id!r}, tolerance=...): must be finite and >= 0, got {self.tolerance}.")
        if (self.expected is Verdict.CORRECTED) != bool(self.misprint):
            raise ValueError(f"Claim({self.id!r}): a misprint is told exactly where a correction is expected.")

    def check(self, bench: Bench) -> "Checked":
        """Compute and compare. What cannot be computed is not reproduced, with the error's text as the reason."""
        began = time.monotonic()
        try:
            found = self.compute(bench)
            computed, deviation, why = plain(found.computed), float(found.deviation), found.why
        except (ValueError, RuntimeError, ArithmeticError) as error:
            computed, deviation, why = None, math.inf, f"not computed: {' '.join(str(error).split())}"
        kept = Verdict.CORRECTED if self.misprint else Verdict.REPRODUCED
        verdict = kept if deviation <= self.tolerance else Verdict.NOT_REPRODUCED
        return Checked(
            id=self.id,
            statement=self.statement,
            where=self.where,
            printed=plain(self.printed),
            computed=computed,
            deviation=deviation,
            tolerance=self.tolerance,
            reason=self.reason,
            verdict=verdict,
            expected=self.expected,
            misprint=self.misprint,
            why=why,
            digits=self.digits,
            scale=bench.scale,
            seconds=time.monotonic() - began,
        )


@dataclasses.dataclass(frozen=True)
class Checked:
    """A claim and what was found: the fields of `Claim` and of `Finding`, the verdict, the scale and the seconds."""

    id: str
    statement: str
    where: str
    printed: Any
    computed: Any
    deviation: float
    tolerance: float
    reason: str
    verdict: Verdict
    expected: Verdict
    misprint: str
    why: str
    digits: int
    scale: Scale
    seconds: float

    @property
    def as_expected(self) -> bool:
        """Whether there is no news in it; a claim that could not be computed is news."""
        return self.verdict is self.expected and self.computed is not None

    def record(self) -> dict[str, Any]:
        """All fields as strict JSON holds them; an infinite number is the text "inf"."""
        values = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        enums = {name: value.value for name, value in values.items() if isinstance(value, enum.Enum)}
        return plain({**values, **enums, "as_expected": self.as_expected})

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> "Checked":
        """The inverse of `record`. Raises `ValueError` for a record that is none."""
        values = {key: value for key, value in record.items() if key != "as_expected"}
        try:
            for name, kind in (("verdict", Verdict), ("expected", Verdict), ("scale", Scale), ("deviation", float)):
                values[name] = kind(values[name])
            return cls(**values)
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"not the record of a claim: {error!r}") from None


def tally(checked: Iterable[Checked]) -> str:
    """`12 claims: 10 reproduced, 2 reproduced after correcting a misprint`; then what was not expected."""
    rows = list(checked)
    counts = [(sum(row.verdict is verdict for row in rows), verdict.value) for verdict in Verdict]
    said = ", ".join(f"{count} {words}" for count, words in counts if count)
    news = [row.id for row in rows if not row.as_expected]
    head = f"{len(rows)} claim{'' if len(rows) == 1 else 's'}: {said}" if rows else "no claims"
    return f"{head}; not as expected: {', '.join(news)}" if news else head


def plain(value: Any) -> Any:
    """NumPy's and JAX's numbers as Python's; numbers that are not finite as text."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else str(float(value))
    return plain(np.asarray(value).tolist())


def shown(value: Any, digits: int = 6) -> str:
    """A value for a table: numbers with so many significant digits, named numbers one a line."""
    if isinstance(value, Mapping):
        return "\n".join(f"{name}: {shown(item, digits)}" for name, item in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(shown(item, digits) for item in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.{digits}g}"
    return "-" if value is None else str(value)
