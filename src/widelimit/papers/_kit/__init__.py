"""What every paper uses: benches, claims, figures, folders, pages.

Light to import; what compares (`_shares`), runs a dynamics (`_runs`) and draws (`_drawing`) are modules of their own.
"""

from ._bench import Bench as Bench, Cost as Cost, Scale as Scale
from ._claims import Claim as Claim, Finding as Finding, Verdict as Verdict, claim as claim
from ._data import Data as Data, columns as columns
from ._figures import Figure as Figure
from ._paper import Paper as Paper, gathered as gathered
