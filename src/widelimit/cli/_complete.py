"""What the shell completes: names of papers, figures and claims, read from the sources: importing takes seconds."""

import ast
import pathlib
from collections.abc import Iterator

import typer


def papers(incomplete: str) -> list[str]:
    """`mei2018`."""
    return [name for name in _names() if name.startswith(incomplete)]


def figures(incomplete: str) -> list[str]:
    """`mei2018`, and its figures once it stands there: `mei2018/fig1`."""
    paper, slash, _ = incomplete.partition("/")
    if not slash:
        return papers(incomplete)
    names = [f"{paper}/{name}" for name in decorated(paper, "figure")] if paper in _names() else []
    return [name for name in names if name.startswith(incomplete)]


def claims(ctx: typer.Context, incomplete: str) -> list[str]:
    """The claims of the paper that was named, or of all."""
    named = ctx.params.get("paper")
    found = [id for paper in ([named] if named in _names() else _names()) for id in decorated(paper, "claim")]
    return [id for id in found if id.startswith(incomplete)]


def scales(incomplete: str) -> list[str]:
    """The two scales."""
    return [name for name in ("quick", "paper") if name.startswith(incomplete)]


def decorated(paper: str, kind: str) -> list[str]:
    """The figures or claims of a paper: functions under `@figure(...)` or `@claim(...)`."""
    home = pathlib.Path(__file__).parents[1] / "papers" / paper / f"{kind}s"
    trees = [ast.parse(path.read_bytes()) for path in sorted(home.glob("_[a-z]*.py"))]
    names = [name for tree in trees for name in _decorated_in(tree, kind)]
    return names if kind == "figure" else [name.replace("_", "-") for name in names]


def _decorated_in(tree: ast.Module, kind: str) -> Iterator[str]:
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            calls = [one.func for one in node.decorator_list if isinstance(one, ast.Call)]
            if any(isinstance(call, ast.Name) and call.id == kind for call in calls):
                yield node.name


def _names() -> tuple[str, ...]:
    from widelimit.papers import names

    return names()
