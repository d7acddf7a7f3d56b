"""Papers as data: every figure and every checkable statement, computed anew and compared with the print.

    paper = widelimit.papers.named("mei2018")
    bench = widelimit.papers.Bench(widelimit.papers.Scale.QUICK)
    paper.claim("delta-infinity").check(bench)
    figure = paper.figure("fig1")
    png = figure.draw(figure.compute(bench))

Importing this room imports nothing heavy; `named` imports the paper that is asked for.
"""

from ._kit._bench import Bench as Bench, Cost as Cost, Scale as Scale
from ._kit._changes import Parameter as Parameter
from ._kit._claims import (
    Checked as Checked,
    Claim as Claim,
    Finding as Finding,
    Verdict as Verdict,
    claim as claim,
    shown as shown,
    tally as tally,
)
from ._kit._data import Data as Data
from ._kit._figures import Figure as Figure, figure as figure
from ._kit._folder import Results as Results
from ._kit._paper import Paper as Paper, named as named, names as names
from ._kit._reproduce import (
    Reproduction as Reproduction,
    check_claims as check_claims,
    duration as duration,
    reproduce as reproduce,
)
