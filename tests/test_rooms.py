"""The order of the rooms: data flows down the list, so a room imports only rooms above it.

The imports are read, not run: those inside functions and under TYPE_CHECKING count as well.
"""

import ast
import graphlib
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = "widelimit"
SOURCE = Path(__file__).parents[1] / "src" / PACKAGE

ROOMS = (
    "_compiled",
    "results",
    # What objects ask for their picture: `report` answers, far below those that ask.
    "_shown",
    "numerics",
    "theory",
    "measure",
    "problem",
    "kernels",
    "dynamics",
    "trajectory",
    # One function under the package's own name for it: a module `evolve` would hide it.
    "_evolve",
    "analysis",
    # Named as its users look for it; inside it, too, `import sklearn` is scikit-learn.
    "sklearn",
    "report",
    # Figures of papers are drawn on report's canvas and shown on its pages; nothing in report needs a paper.
    "papers",
    # What a problem file asks for: parsed, computed, kept in a folder. The command line only calls it.
    "runs",
    # Under a name of its own: a module `sweep` would hide the function.
    "_sweep",
    # A trained network from elsewhere, judged with what `analysis` has and shown on a page of `report`.
    "_diagnose",
    # A training in PyTorch's words; `_diagnose` reads its weights.
    "_torch",
    # Pages in the browser. Only the command line opens it.
    "explore",
    "cli",
    # `python -m widelimit`.
    "__main__",
)
# The same inside a room: its sub-rooms in the order in which they may import each other. Those of `papers` but the kit,
# one a paper, know nothing of each other, and need no entry.
SUB_ROOMS = {
    "measure": ("laws",),
    "problem": ("domains", "units", "data", "networks", "integrals", "symmetry"),
    "problem.units": ("spherical",),
    "problem.data": ("tables",),
    "kernels": ("wide", "rkhs"),
    "dynamics": ("kinks", "flows", "quantiles", "grid", "jko", "sgd", "linear"),
    "analysis": (
        "atoms",
        "minimum",
        "density",
        "splines",
        "linear",
        "expansion",
        "width",
        "scaling",
        "run",
        "regime",
        "functions",
        "teacher",
    ),
    "papers": ("_kit",),
    "papers.*": ("runs", "figures", "claims"),
    "report": ("shown",),
    "runs": ("parse", "call", "report", "draft"),
    "_diagnose": ("reading", "page"),
    "explore": ("systems", "pages"),
}
# Closed forms are an independent oracle for the solvers, so no room that solves may lean on them.
MAY_IMPORT_THEORY = {"theory", "papers", "report", "explore", "cli"}
# Slow to import: inside the function that needs them, so that the command line answers at once.
HEAVY = (
    "ott",
    "xarray",
    "zarr",
    "matplotlib",
    "sklearn",
    "pandas",
    "scipy.stats",
    "jinja2",
    "distributed",
    "dask",
    "widelimit.sklearn",
)
# Its classes derive from scikit-learn's; so the room itself is loaded on use.
BUILT_ON = {"sklearn": ("sklearn", "widelimit.sklearn")}


def is_inside(module: str, package: str) -> bool:
    return module == package or module.startswith(package + ".")


def modules_of(root: Path) -> dict[Path, str]:
    """Every file under the package folder `root` with its dotted name."""
    names = {}
    for path in sorted(root.rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        names[path] = ".".join((PACKAGE, *(part for part in parts if part != "__init__")))
    return names


def targets(node: ast.AST, package: str) -> Iterator[str]:
    """What an import statement in a module of `package` names, as absolute dotted names.

    `from a import b` gives a.b: b may be a module of a or a name in it, and the rules ask the same of both.
    """
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        anchor = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
        base = ".".join([*anchor, *([node.module] if node.module else [])])
        yield from (f"{base}.{alias.name}" for alias in node.names)


def at_import(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements that run when a module is imported: no function bodies, nothing for type checkers."""
    for statement in body:
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if isinstance(statement, ast.If) and ast.unparse(statement.test).endswith("TYPE_CHECKING"):
            yield from at_import(statement.orelse)
            continue
        yield statement
        for block in ("body", "orelse", "finalbody"):
            yield from at_import(getattr(statement, block, []))
        for handler in getattr(statement, "handlers", []):
            yield from at_import(handler.body)


def room_fault(room: str, target: str) -> str | None:
    """Why a file of `room` may not import `target`, a name inside the package; None if it may."""
    parts = target.split(".")
    there = parts[1] if len(parts) > 1 else ""
    if there not in ROOMS:
        # The top level hands out names of every room: through it any order could be broken.
        allowed = there == "__version__"
        return None if allowed else f"imports {target}, which is no room: import the room that defines it"
    if there == room:
        return None
    if ROOMS.index(there) > ROOMS.index(room):
        return f"imports {target}: {there} is below {room}"
    if there == "theory" and room not in MAY_IMPORT_THEORY:
        return f"imports {target}: theory is an oracle for tests and papers, not a part of {room}"
    if any(part.startswith("_") for part in parts[2:]):
        return f"imports {target}, which is private to {there}"
    return None


def order_in(room: str) -> tuple[str, ...]:
    """The order of a room's sub-rooms; that of every paper is one."""
    return SUB_ROOMS.get("papers.*" if room.startswith("papers.") else room, ())


def sub_fault(root: Path, module: str, target: str) -> str | None:
    """Why a file may not import `target`, which is in the same room; None if it may."""
    here, there = module.split(".")[1:], target.split(".")[1:]
    shared = 0
    while shared < min(len(here), len(there)) and here[shared] == there[shared]:
        shared += 1
    if not shared or shared >= len(here):
        return None
    room = ".".join(here[:shared])
    sides = [path[shared] for path in (here, there) if len(path) > shared]
    inside = [name for name in sides if (root / room.replace(".", "/") / name).is_dir()]
    if len(inside) < 2:
        return None
    order = order_in(room)
    first, second = (order.index(name) if name in order else len(order) for name in inside)
    return None if second < first else f"imports {target}: {inside[1]} is not above {inside[0]} in {room}"


def unlisted(root: Path) -> Iterator[str]:
    """Sub-rooms that have no place in the order."""
    for path in sorted(p.parent for p in root.rglob("__init__.py")):
        parts = path.relative_to(root).parts
        room = ".".join(parts[:-1])
        # The kit's neighbours are papers, and theory has a folder a paper as well.
        free = len(parts) < 2 or room in ("papers", "theory")
        if not free and parts[-1] not in order_in(room):
            yield f"{'.'.join(parts)} has no place in SUB_ROOMS[{room!r}]"


def cycles(root: Path) -> list[str]:
    """A file of each group that import one another, in a circle, when they are loaded."""
    names = modules_of(root)
    known, graph = set(names.values()), {}
    for path, module in names.items():
        package = module if path.name == "__init__.py" else module.rpartition(".")[0]
        found = [t for s in at_import(ast.parse(path.read_text(encoding="utf-8")).body) for t in targets(s, package)]
        # A folder's own `__init__` gathers its files: to import a name from it is to import all of them.
        ends = {t if t in known else t.rpartition(".")[0] for t in found}
        graph[module] = {t for t in ends & known if not is_inside(module, t)}
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        return [" -> ".join(error.args[1])]
    return []


def file_faults(root: Path, path: Path, module: str) -> Iterator[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    room = module.split(".")[1] if module != PACKAGE else None
    if room is not None and room not in ROOMS:
        yield f"{module}: {room} is no room; the rooms are {', '.join(ROOMS)}"
        return
    for node in ast.walk(tree):
        for target in targets(node, package):
            if target.endswith(".*"):
                yield f"{module}:{node.lineno} star import of {target[:-2]}"
            elif room is not None and is_inside(target, PACKAGE):
                fault = room_fault(room, target) or sub_fault(root, module, target)
                if fault:
                    yield f"{module}:{node.lineno} {fault}"
    for statement in at_import(tree.body):
        for target in targets(statement, package):
            if any(is_inside(target, heavy) for heavy in HEAVY if heavy not in BUILT_ON.get(room or "", ())):
                yield f"{module}:{statement.lineno} imports {target} at the top: do it where it is used"


def faults(root: Path) -> list[str]:
    """Every broken rule in the package folder `root`, as `module:line what`."""
    return [fault for path, module in modules_of(root).items() for fault in file_faults(root, path, module)]


def test_the_rooms_are_in_order():
    assert len(modules_of(SOURCE)) > 1
    assert faults(SOURCE) == []
    assert list(unlisted(SOURCE)) == []


def test_no_files_import_one_another_in_a_circle():
    assert cycles(SOURCE) == []


def one_file(root: Path, name: str, text: str) -> list[str]:
    path = root / PACKAGE / name
    path.parent.mkdir(parents=True)
    path.write_text(text, encoding="utf-8")
    return faults(root / PACKAGE)


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("measure/_a.py", "from widelimit.problem import Problem", "problem is below measure"),
        ("measure/_a.py", "import widelimit._evolve", "_evolve is below measure"),
        ("measure/_a.py", "from .. import problem", "problem is below measure"),
        ("measure/__init__.py", "from ..problem import Problem", "problem is below measure"),
        ("problem/units/_a.py", "from ...dynamics import SGD", "dynamics is below problem"),
        ("problem/units/__init__.py", "from ... import dynamics", "dynamics is below problem"),
        ("results.py", "from ._evolve import evolve", "_evolve is below results"),
        ("measure/_a.py", "def f():\n    from ..cli import main", "cli is below measure"),
        (
            "measure/_a.py",
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from ..cli import main",
            "cli is below measure",
        ),
        ("dynamics/_a.py", "from widelimit.theory import relu", "theory is an oracle"),
        ("dynamics/_a.py", "from widelimit.problem._problem import Problem", "private to problem"),
        ("dynamics/_a.py", "from ..problem.units import _unit", "private to problem"),
        ("dynamics/_a.py", "import widelimit as wl", "no room"),
        ("dynamics/_a.py", "from widelimit import Particles", "no room"),
        ("utils.py", "", "utils is no room"),
        ("measure/_a.py", "from math import *", "star import of math"),
        ("__init__.py", "from .measure import *", "star import of widelimit.measure"),
        ("measure/_a.py", "import pandas as pd", "imports pandas at the top"),
        ("measure/_a.py", "from scipy import stats", "imports scipy.stats at the top"),
        ("measure/_a.py", "import matplotlib.pyplot as plt", "imports matplotlib.pyplot at the top"),
        (
            "measure/_a.py",
            "try:\n    import ott\nexcept ImportError:\n    ott = None",
            "imports ott at the top",
        ),
        ("measure/_a.py", "class A:\n    import zarr", "imports zarr at the top"),
        ("report/_a.py", "from ..sklearn import WideRegressor", "imports widelimit.sklearn.WideRegressor at the top"),
        ("sklearn/_a.py", "import matplotlib.pyplot", "imports matplotlib.pyplot at the top"),
    ],
)
def test_a_broken_rule_is_found(tmp_path: Path, name: str, text: str, expected: str):
    found = one_file(tmp_path, name, text)
    assert len(found) == 1
    assert expected in found[0]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("problem/_a.py", "from widelimit.measure import Particles"),
        ("problem/units/_a.py", "from ...measure import Particles"),
        ("problem/units/_a.py", "from ..activations import tanh\nfrom ._unit import AbstractUnit"),
        ("problem/__init__.py", "from .units._unit import AbstractUnit"),
        ("papers/_a.py", "from widelimit.theory import relu"),
        ("trajectory/_a.py", "from widelimit import __version__, measure"),
        ("__init__.py", "from .cli import main\nfrom .problem._problem import Problem"),
        ("measure/_a.py", "def f():\n    import ott\n    from scipy import stats"),
        (
            "measure/_a.py",
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import xarray",
        ),
        ("measure/_a.py", "import ottoman\nfrom scipy import special"),
        ("sklearn/_a.py", "from sklearn.base import BaseEstimator\nfrom ._b import c"),
    ],
)
def test_what_is_allowed_passes(tmp_path: Path, name: str, text: str):
    assert one_file(tmp_path, name, text) == []


def package(root: Path, **texts: str) -> Path:
    """A package of the files given as room__sub__file="text"."""
    for name, text in texts.items():
        path = root / PACKAGE / (name.replace("__", "/") + ".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        (path.parent / "__init__.py").touch()
    return root / PACKAGE


@pytest.mark.parametrize(
    ("home", "text", "expected"),
    [
        ("problem__units__a", "from ..data._b import c", "data is not above units in problem"),
        ("problem__units__a", "from widelimit.problem import data", "data is not above units in problem"),
        ("problem__networks__a", "from ..data._b import c", None),
        ("problem__a", "from .data._b import c", None),
        ("papers__mei2018__a", "from ..data._b import c", "data is not above mei2018 in papers"),
        ("papers__mei2018__a", "from .._kit._b import c", None),
        ("papers__mei2018__figures__a", "from ..claims._b import c", "claims is not above figures in papers.mei2018"),
        ("papers__mei2018__claims__a", "from ..runs._b import c", None),
    ],
)
def test_sub_rooms_are_in_order(tmp_path: Path, home: str, text: str, expected: str | None):
    room = home.split("__")[0]
    paper = {f"papers__mei2018__{part}___b": "c = 1" for part in ("runs", "figures", "claims")}
    root = package(tmp_path, **{home: text, f"{room}__data___b": "c = 1", f"{room}___kit___b": "c = 1", **paper})
    found = faults(root)
    assert (expected is None and found == []) or (len(found) == 1 and str(expected) in found[0])


def test_a_circle_and_an_unlisted_folder_are_found(tmp_path: Path):
    root = package(tmp_path, measure___a="from ._b import c", measure___b="from . import _a\n", measure__new___c="")
    assert len(cycles(root)) == 1
    assert list(unlisted(root)) == ["measure.new has no place in SUB_ROOMS['measure']"]
