"""Formulas as MathML, which browsers draw by themselves: no script, no font from the network."""

import html
import re

_MARKED = re.compile(r'<(span|div) class="arithmatex">\s*\\([(\[])(.*?)\\[)\]]\s*</\1>', re.DOTALL)


def drawn(page: str) -> str:
    """The page with its marked formulas as MathML. Raises `ValueError` that names all that cannot be read."""
    faults = []

    def one(found: re.Match) -> str:
        try:
            return _formula(html.unescape(found[3]), block=found[2] == "[")
        except ValueError as error:
            faults.append(str(error))
            return ""

    page = _MARKED.sub(one, page)
    if faults:
        raise ValueError(" ".join(faults))
    return page


def _formula(tex: str, *, block: bool) -> str:
    from latex2mathml.converter import convert

    try:
        # An operator that the converter has no name for.
        known = re.sub(r"\\arg(?![a-z])", r"\\operatorname{arg}", " ".join(tex.split()))
        found = convert(known, display="block" if block else "inline")
    except Exception as error:
        raise ValueError(f"the formula {tex!r} cannot be drawn: {type(error).__name__} {error}.") from error
    # What the converter does not know stays in it as text that begins with a backslash.
    unknown = re.search(r">\s*(\\[A-Za-z]+)", found)
    if unknown is not None:
        raise ValueError(f"the formula {tex!r} has {unknown[1]}, which is not known.")
    return f'<div class="formula">{found}</div>' if block else found
