"""What every paper uses, light to import; what compares, runs a dynamics and draws are modules of their own."""

from ._bench import Bench as Bench, Cost as Cost, Scale as Scale
from ._changes import Parameter as Parameter
from ._claims import Claim as Claim, Finding as Finding, Verdict as Verdict, claim as claim
from ._data import Data as Data, columns as columns
from ._figures import Figure as Figure, figure as figure
from ._paper import gathered as gathered, paper_in as paper_in
