"""Claims of a paper's folder, computed and on given numbers, for the tests of the papers. Imported by its name only."""

import importlib
from typing import Any

import pytest


class Folder:
    """The claims in some of the modules of a paper's folder `claims`, and the tests that every folder has."""

    def __init__(self, paper, modules):
        self.paper, self.modules = paper, modules

    def module(self, name):
        """A module of the paper: "runs._networks"."""
        return importlib.import_module(f"widelimit.papers.{self.paper}.{name}")

    def claims(self):
        from widelimit.papers._kit import Claim, gathered

        return {claim.id: claim for claim in gathered(Claim, *(self.module(f"claims.{name}") for name in self.modules))}

    def holds(self, id, **pieces):
        return holds(self.claims()[id], pieces)

    def is_refused(self, id, **pieces):
        return is_refused(self.claims()[id], pieces)

    def checks(self, quick):
        """Every claim has the verdict that is expected; those that are not `quick` are slow."""
        rest = sorted(set(self.claims()) - set(quick))

        @pytest.mark.parametrize("id", [*quick, *(pytest.param(id, marks=pytest.mark.slow) for id in rest)])
        def test_claims(id, bench):
            row = self.claims()[id].check(bench)
            assert row.as_expected, row

        return test_claims

    def is_whole(self, figures):
        """The modules have all claims of the paper, and it has these figures."""

        def test_the_paper_has_them_all():
            from widelimit.papers import named

            paper = named(self.paper)
            assert set(self.claims()) == {claim.id for claim in paper.claims}
            assert tuple(figure.name for figure in paper.figures) == figures

        return test_the_paper_has_them_all

    def draws(self, figures, *, words=200):
        """Figures are computed and drawn, with a caption of so many characters."""

        @pytest.mark.slow
        @pytest.mark.parametrize("name", figures)
        def test_figures(name, bench):
            from widelimit.papers import named

            figure = named(self.paper).figure(name)
            data = figure.compute(bench)
            assert figure.draw(data).startswith(b"\x89PNG")
            assert len(figure.caption(data)) > words
            assert len(figure.alt(data)) > 50
            assert figure.caption(data) not in figure.alt(data)

        return test_figures


def canned(pieces: dict[str, Any]):
    """A bench whose pieces are given: name of the function -> arrays, or a function of the settings."""
    from widelimit.papers import Bench, Scale
    from widelimit.papers._kit._data import as_data

    class Canned(Bench):
        def piece(self, compute, **settings):
            found = pieces[compute.__name__]
            values: Any = found(**settings) if callable(found) else found
            return as_data(values, compute.__name__)

    return Canned(Scale.QUICK)


def holds(claim, pieces):
    """Whether a claim is reproduced from such pieces."""
    from widelimit.papers import Verdict

    row = claim.check(canned(pieces))
    assert "not computed" not in row.why, row.why
    return row.verdict is not Verdict.NOT_REPRODUCED


def is_refused(claim, pieces):
    """Whether no verdict follows from such pieces."""
    return claim.check(canned(pieces)).why.startswith("not computed")
