"""Mathematics as claims and captions write it in plain text, set with signs, indices and exponents."""

import re
import unicodedata
from typing import Any

_SMALL = ("alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "kappa", "mu", "nu", "xi", "pi", "rho")
_SMALL += ("sigma", "tau", "phi", "chi", "psi", "omega")
_SIGNS = {
    **{name: unicodedata.lookup(f"GREEK SMALL LETTER {name}") for name in _SMALL},
    **{name: unicodedata.lookup(f"GREEK CAPITAL LETTER {name}") for name in ("Delta", "Phi", "Psi", "Theta")},
    **{"lambda": "λ", "eps": "ε", "INT": "∫", "SUM": "∑", "sqrt": "√", "grad": "∇", "infinity": "∞"},
}
_RELATIONS = {"&lt;=": "≤", "&gt;=": "≥", "-&gt;": "→", "+-": "±"}
_WORD = re.compile(rf"(?<![A-Za-z.])({'|'.join(sorted(_SIGNS, key=len, reverse=True))})(?![A-Za-z])")
_RAISED = re.compile(r"\^(\([^()]*\)|-?\w+)")
# Of a short name alone: stationary_atoms is a function.
_LOWERED = re.compile(r"((?<![\w.])[^\W\d_]{1,3}|\))_(\*|\+|\([^()]*\)|[^\W_]+)")


def mathematics(text: str) -> Any:
    """The text as HTML: `INT x^2 d rho_*` with the signs, x² raised, * lowered. What is no mathematics stays."""
    from markupsafe import Markup, escape

    html = _WORD.sub(lambda found: _SIGNS[found[1]], str(escape(text)))
    for written, sign in _RELATIONS.items():
        html = html.replace(written, sign)
    html = _RAISED.sub(lambda found: f"<sup>{_bare(found[1])}</sup>", html)
    return Markup(_LOWERED.sub(lambda found: f"{found[1]}<sub>{_bare(found[2])}</sub>", html))


def _bare(text: str) -> str:
    return text[1:-1] if text[0] == "(" else text
