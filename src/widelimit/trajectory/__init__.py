"""What came out: trajectories, observables, checkpoints, progress."""

from . import observables as observables
from ._checkpoint import Checkpoint as Checkpoint, Folder as Folder, restore as restore
from ._ensemble import Ensemble as Ensemble
from ._film import Film as Film
from ._fingerprint import as_array as as_array, fingerprint as fingerprint, fingerprints as fingerprints
from ._progress import Progress as Progress
from ._rows import Rows as Rows
from ._store import Stream as Stream, digest as digest
from ._trajectory import Trajectory as Trajectory, load as load
