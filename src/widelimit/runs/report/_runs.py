"""The trajectories of a finished run, as they are compared with those of others."""

from widelimit.trajectory import Trajectory

from ..call._limit import part_name
from ..call._networks import networks_of
from ..errors import BadInput
from ..folder import RunFolder
from ..parse._problem_file import check
from ._summary import stored


def runs_of(folder: RunFolder) -> dict[str, list[Trajectory]]:
    """`limit`: the finest; `width 64`: its networks that are done, all seeds; with the dynamics where that differs.

    Raises `BadInput` for a run that is not finished, or damaged.
    """
    if folder.state != "finished":
        raise BadInput(f"{folder.path}: is {folder.state}; only finished runs are compared.")
    file = check(folder.read("problem.json"), str(folder.path / "problem.json"))
    numbers = folder.read("numbers.json")
    try:
        finest = numbers["limit"]["sizes"][-1]
    except (KeyError, TypeError, IndexError) as error:
        raise BadInput(f"{folder.path / 'numbers.json'}: is damaged ({error!r}).") from None
    found = {"limit": [stored(folder, part_name(finest))]}
    done = [network for network in networks_of(file) if network.name in folder.status["parts"]]
    for network in done:
        ways = {other.words for other in done if other.width == network.width}
        label = f"width {network.width}" + (f", {network.words}" if len(ways) > 1 else "")
        found.setdefault(label, []).append(stored(folder, network.name))
    return found
