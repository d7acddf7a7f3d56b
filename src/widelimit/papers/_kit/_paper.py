"""A paper: its figures and its claims; the papers by name, a module each, imported when it is asked for."""

import dataclasses
import importlib
import pkgutil
from types import ModuleType
from typing import TypeVar

from widelimit.results import one_of

from ._claims import Claim
from ._figures import Figure

_T = TypeVar("_T")
# The module has the paper as its `paper`.
HOMES: dict[str, str] = {
    name: f"widelimit.papers.{name}"
    for name in ("mei2018", "yarotsky2018", "williams2019", "rotskoff2018", "teacherstudent2020")
}


@dataclasses.dataclass(frozen=True)
class Paper:
    """A paper as data. `name` is its key everywhere, `citation` its full title and source, `symbols` what they mean.

    **Raises** `ValueError` for two figures, or two claims, of one name.
    """

    name: str
    citation: str
    figures: tuple[Figure, ...]
    claims: tuple[Claim, ...]
    symbols: str = ""

    def __post_init__(self) -> None:
        for names in ([figure.name for figure in self.figures], [claim.id for claim in self.claims]):
            twice = sorted({name for name in names if names.count(name) > 1})
            if twice:
                raise ValueError(f"Paper({self.name!r}): {twice[0]!r} is there twice.")

    def figure(self, name: str) -> Figure:
        """A figure by its name. Raises `ValueError` with the names there are."""
        names = [figure.name for figure in self.figures]
        return self.figures[names.index(one_of(name, names, f"{self.name}: figure"))]

    def claim(self, id: str) -> Claim:
        """A claim by its id. Raises `ValueError` with the ids there are."""
        ids = [claim.id for claim in self.claims]
        return self.claims[ids.index(one_of(id, ids, f"{self.name}: claim"))]


def paper_in(package: str, citation: str, symbols: str) -> Paper:
    """The paper of a package: all figures and claims of its folders `figures` and `claims`, file by file."""

    def modules(folder: str) -> list[ModuleType]:
        home = importlib.import_module(f"{package}.{folder}")
        names = sorted(found.name for found in pkgutil.iter_modules(home.__path__))
        return [importlib.import_module(f"{home.__name__}.{name}") for name in names]

    figures, claims = gathered(Figure, *modules("figures")), gathered(Claim, *modules("claims"))
    return Paper(package.rpartition(".")[2], citation, figures, claims, symbols)


def gathered(kind: type[_T], *modules: ModuleType) -> tuple[_T, ...]:
    """All objects of a kind that stand in the modules, in the order in which they do."""
    return tuple(value for module in modules for value in vars(module).values() if isinstance(value, kind))


def names() -> tuple[str, ...]:
    """The papers there are."""
    return tuple(HOMES)


def named(name: str) -> Paper:
    """A paper by its key. Raises `ValueError` with the keys there are."""
    return importlib.import_module(HOMES[one_of(name, names(), "paper")]).paper
