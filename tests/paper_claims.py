"""Claims on given numbers, for the tests of the papers. Imported by its name only."""


def canned(pieces):
    """A bench whose pieces are given: name of the function -> arrays, or a function of the settings."""
    from widelimit.papers import Bench, Scale
    from widelimit.papers._kit._data import as_data

    class Canned(Bench):
        def piece(self, compute, **settings):
            found = pieces[compute.__name__]
            return as_data(found(**settings) if callable(found) else found, compute.__name__)

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
