"""A statement of a paper that can be checked, and what the check found."""

import dataclasses
import enum
import math
import re
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from ._bench import Bench, Cost, Scale

Number = float | int | bool | str | None
Value = Number | Mapping[str, Number]
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
    - `needs`: what must hold besides, in words: without it the numbers would say nothing of the statement.

    **Raises** `ValueError` for a deviation that is not finite, and for a NaN among the numbers: no verdict follows
    from them.
    """

    computed: Any
    deviation: Any
    why: str = ""
    needs: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        if not np.isfinite(self.deviation):
            raise ValueError(f"the deviation is {float(self.deviation)}, computed from {shown(plain(self.computed))}.")
        if "nan" in _numbers(plain(self.computed)):
            raise ValueError(f"NaN among the numbers {shown(plain(self.computed))}.")

    @property
    def lacks(self) -> str:
        """Those of `needs` that do not hold."""
        return "; ".join(f"not so: {words}" for words, there in self.needs.items() if not there)


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
    printed: Value
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
        """Compute and compare. What cannot be computed, or makes a NaN, is not reproduced, with the error's text as the
        reason."""
        began = time.monotonic()
        try:
            with np.errstate(invalid="raise"):
                found = self.compute(bench)
            computed, deviation, lacks, why = plain(found.computed), float(found.deviation), found.lacks, found.why
        except (ValueError, RuntimeError, ArithmeticError) as error:
            computed, deviation, lacks, why = None, math.inf, "", f"not computed: {' '.join(str(error).split())}"
        kept = Verdict.CORRECTED if self.misprint else Verdict.REPRODUCED
        told = ("id", "statement", "where", "tolerance", "reason", "expected", "misprint", "digits")
        return Checked(
            **{name: getattr(self, name) for name in told},
            printed=plain(self.printed),
            computed=computed,
            deviation=deviation,
            verdict=kept if deviation <= self.tolerance and not lacks else Verdict.NOT_REPRODUCED,
            why="; ".join(part for part in (lacks, why) if part),
            scale=bench.scale,
            seconds=time.monotonic() - began,
        )


def claim(
    where: str, *, tolerance: float, cost: Cost, printed: Value = None, expected: Verdict | None = None, digits: int = 6
) -> Callable[[Callable[[Bench], Finding]], Claim]:
    """A claim from the function that checks it: its name is the id; its docstring has the statement and other texts.

        @claim("(14)", tolerance=1e-10, cost=Cost(15.0))
        def r_star(bench: Bench) -> Finding:
            \"\"\"The best single sphere: r_* minimises R^(1).
            Compared: r_* of the library and of SciPy.        <- the reason of the tolerance
            Printed: a formula in words.                      <- only where there is one
            Misprint: (14) lacks a factor 2.                  <- only where there is one\"\"\"

    The arguments are those of `Claim`; a claim with a misprint is expected to be corrected, another to be reproduced.

    **Raises** `ValueError` for a docstring without a statement and what is compared (python -OO drops docstrings).
    """

    def made(compute: Callable[[Bench], Finding]) -> Claim:
        statement, *rest = re.split(r"^ *(Compared|Printed|Misprint): ", compute.__doc__ or "", flags=re.MULTILINE)
        told = {
            head: " ".join(text.split()).removesuffix(".") for head, text in zip(rest[::2], rest[1::2], strict=True)
        }
        if not statement or "Compared" not in told:
            raise ValueError(f"claim {compute.__name__}: the docstring must be a statement and 'Compared: ...'.")
        misprint = told.get("Misprint", "")
        return Claim(
            id=compute.__name__.replace("_", "-"),
            statement=" ".join(statement.split()),
            where=where,
            printed=told.get("Printed", printed),
            compute=compute,
            tolerance=tolerance,
            reason=told["Compared"],
            cost=cost,
            misprint=misprint,
            expected=expected or (Verdict.CORRECTED if misprint else Verdict.REPRODUCED),
            digits=digits,
        )

    return made


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


def _numbers(value: Any) -> list[Any]:
    """Everything in nested plain values, in one row."""
    if isinstance(value, dict | list):
        return [one for part in (value.values() if isinstance(value, dict) else value) for one in _numbers(part)]
    return [value]


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
