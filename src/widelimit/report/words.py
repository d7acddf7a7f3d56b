"""Numbers as a reader wants them."""

import math

MINUS, TIMES, DASH = "\N{MINUS SIGN}", "\N{MULTIPLICATION SIGN}", "\N{EN DASH}"
_SPACE = "\N{NO-BREAK SPACE}"
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def number(value: float | None, digits: int = 3) -> str:
    """`digits` significant digits: 0.00372, 12300, 4.1 x 10^-5; an en dash for what is not finite or not known."""
    if value is None or not math.isfinite(value):
        return DASH
    if value == 0:
        return "0"
    value = float(f"{value:.{digits - 1}e}")
    exponent = math.floor(math.log10(abs(value)))
    if -3 <= exponent < 5:
        return f"{value:.{max(0, digits - 1 - exponent)}f}".replace("-", MINUS)
    return f"{value / 10.0**exponent:.{digits - 1}f}{_power(exponent)}".replace("-", MINUS)


def with_error(value: float, error: float | None) -> str:
    """`0.003726 ± 0.000020`: the error with two digits, the value to the same decimal."""
    if error is None or not math.isfinite(error) or error <= 0 or not math.isfinite(value):
        return number(value, 4)
    largest = max(abs(value), error)
    exponent = math.floor(math.log10(largest))
    scale = 0 if -4 <= exponent < 5 else exponent
    decimals = max(0, 1 - math.floor(math.log10(error)) + scale)
    if decimals > 15:
        return number(value, 4)
    text = f"{value / 10.0**scale:.{decimals}f} ± {error / 10.0**scale:.{decimals}f}".replace("-", MINUS)
    return text if scale == 0 else f"({text}){_power(scale)}"


def clock(t: float) -> str:
    """A time: 20, 0.591, 3.3; no zeros that nobody measured."""
    text = number(t)
    return text.rstrip("0").rstrip(".") if "." in text and TIMES not in text else text


def moment(t: float) -> str:
    """`t = 20`, never broken across lines."""
    return f"t{_SPACE}={_SPACE}{clock(t)}"


def beside(value: float, scale: float) -> str:
    """A number next to a larger `scale`, to the third digit of the scale: a mean beside its spread."""
    if not 0 < abs(value) < scale or not 1e-3 <= scale < 1e5:
        return number(value)
    text = f"{value:.{max(0, 2 - math.floor(math.log10(scale)))}f}".replace("-", MINUS)
    return text if text.strip(f"{MINUS}0.") else "0"


def above(difference: float) -> str:
    """`0.012 above`, `0.012 below`: for a sentence that goes on with "the limit"."""
    if difference == 0:
        return "level with"
    return f"{number(abs(difference))} {'above' if difference > 0 else 'below'}"


def apart(difference: float, error: float | None, seeds: int, within: float, it: str) -> str:
    """How far a mean over seeds is from `it`, which is known to `within`, as the standard `error` lets it be said.

    `0.15 ± 0.01 above it (4 seeds)`; `level with it as far as 3 seeds tell (0.0036 ± 0.0060 below)`, inside
    Student's interval of 95 %; `0.15 above it (one seed decides nothing)`.
    """
    from scipy.special import stdtrit

    if difference == 0:
        return f"level with {it}"
    side = "above" if difference > 0 else "below"
    if seeds < 2 or error is None:
        return f"{number(abs(difference))} {side} {it} (one seed decides nothing)"
    size = with_error(abs(difference), error)
    if abs(difference) > float(stdtrit(seeds - 1, 0.975)) * error + within:
        return f"{size} {side} {it} ({seeds} seeds)"
    return f"level with {it} as far as {seeds} seeds tell ({size} {side})"


def count(n: int, what: str) -> str:
    """`1 seed`, `3 seeds`."""
    return f"{n:,} {what}{'' if n == 1 else 's'}".replace(",", "\u202f")


def listed(parts: list[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1]


def _power(exponent: int) -> str:
    return f"{_SPACE}{TIMES}{_SPACE}10{str(exponent).translate(_RAISED)}"
