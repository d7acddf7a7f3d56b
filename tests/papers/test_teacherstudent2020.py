"""teacherstudent2020: that its claims hold, that they can fail, and the tools they stand on."""

import numpy as np
import paper_claims

MODULES = ("_relu",)
FIGURES = ()
QUICK = ("relu-null-space",)

PAPER = paper_claims.Folder("teacherstudent2020", MODULES)
module, holds = PAPER.module, PAPER.holds

test_claims = PAPER.checks(QUICK)
test_the_paper_has_them_all = PAPER.is_whole(FIGURES)


class TestFailing:
    """Claims on numbers that contradict them."""

    def test_null_space(self):
        from widelimit.theory import teacherstudent2020 as theory

        def spectrum(d, **more):
            values = np.array([theory.relu_eigenvalue(k, d) for k in range(17)])
            for k, value in more.items():
                values[int(k[1:])] += value
            return {"values": values}

        assert holds("relu-null-space", spectrum=spectrum)
        assert not holds("relu-null-space", spectrum=lambda d: spectrum(d, k3=1e-12))
        assert not holds("relu-null-space", spectrum=lambda d: spectrum(d, k4=1e-7))
