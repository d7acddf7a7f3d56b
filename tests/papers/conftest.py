"""What the tests of all papers share."""

import pytest


@pytest.fixture(scope="module")
def bench():
    """A bench at the quick scale, whose pieces the claims and figures of a module share."""
    from widelimit.papers import Bench, Scale

    return Bench(Scale.QUICK)
