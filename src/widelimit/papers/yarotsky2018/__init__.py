"""yarotsky2018: Yarotsky, Collective evolution of weights in wide neural networks."""

from .._kit import paper_in

paper = paper_in(__name__, "D. Yarotsky: Collective evolution of weights in wide neural networks (2018).")
