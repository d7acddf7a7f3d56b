"""The terms of a report and what they mean, and links to them."""

import re
from collections.abc import Mapping
from typing import Any

TERMS = {
    "limit": "The network of infinite width: a distribution of neurons that training moves along a transport equation.",
    "risk": "The mean loss over the data, without penalties.",
    "held-out risk": "The risk on data that took no part in training.",
    "mean-field time": "Steps times step size; a step moves a neuron along its own potential, without a factor 1/N.",
    "standard error": "How far a mean over so few seeds may be from that over all: their deviation / (seeds)^(1/2).",
    "optimality gap": "How far the objective can be above its infimum over measures, on this data: a "
    "bound, or an estimate where it was searched locally.",
    "budget": "A bound on the mean size of the output weights; only measures within it compete.",
    "largest correlation": "The most that the output of any unit correlates with the slope of the loss.",
    "stationarity": "The size of grad psi over the neurons, with psi the first variation of the objective: 0 at rest.",
    "dissipation defect": "The fall of the objective against the energy dissipated: the error of the integration.",
    "particles": "The neurons, with weights, that stand for the limit's distribution.",
}


def terms_in(text: str, terms: Mapping[str, str]) -> list[str]:
    """The terms that occur in a text, each once."""
    return list(dict.fromkeys(_any_of(terms).findall(text))) if terms else []


def anchor(term: str) -> str:
    return "term-" + re.sub(r"\W+", "-", term)


def linked(text: str, terms: Mapping[str, str]) -> Any:
    """A text as HTML, with a link from every term where it first occurs."""
    from markupsafe import Markup, escape

    seen: set[str] = set()

    def link(found: re.Match[str]) -> str:
        term = found.group()
        if term in seen:
            return term
        seen.add(term)
        return f'<a class="term" href="#{anchor(term)}">{term}</a>'

    return Markup(_any_of(terms).sub(link, str(escape(text)))) if terms else escape(text)


def _any_of(terms: Mapping[str, str]) -> re.Pattern[str]:
    """The longest first: "held-out risk" before "risk"."""
    return re.compile(r"\b(" + "|".join(sorted(map(re.escape, terms), key=len, reverse=True)) + r")\b")
