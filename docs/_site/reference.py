"""The pages of the reference: every public name, from the lists in which the package hands them out.

They are read, not run: `from ._verb import evolve as evolve` in an `__init__.py` hands out `evolve`.
"""

import ast
import dataclasses
import importlib
import inspect
import json
import pathlib

SOURCE = pathlib.Path(__file__).resolve().parents[2] / "src" / "widelimit"


def pages() -> dict[str, list[str]]:
    """Module -> the names that it hands out; `widelimit` first, with those that are no modules."""
    top = _handed_out(SOURCE / "__init__.py")
    modules = {name: _file(SOURCE, origin) for name, origin in top.items() if _file(SOURCE, origin) is not None}
    found = {"widelimit": sorted(set(top) - set(modules))}
    for name, file in sorted(modules.items()):
        assert file is not None
        inner = {*_handed_out(file), *_defined(file)}
        # Modules inside a room that the package hands out as well have their page already.
        found[f"widelimit.{name}"] = sorted(part for part in inner if part not in modules)
    return found


def page(module: str, names: list[str]) -> str:
    """Markdown that names every object; the docstrings are put in when the site is built."""
    objects = "\n\n".join(_object(module, name) for name in names)
    intro = f"::: {module}\n    options:\n      members: false\n      show_root_heading: false\n"
    return f"# {module}\n\n{intro}\n{objects}\n"


def _object(module: str, name: str) -> str:
    """An object with its members; of a class that fills in an abstract one, only those that are its own."""
    parent = importlib.import_module("widelimit")
    for part in module.split(".")[1:]:
        parent = getattr(parent, part)
    kind = getattr(parent, name)
    bases = [base for base in getattr(kind, "__mro__", ())[1:] if base.__name__.startswith("Abstract")]
    if not bases or name.startswith("Abstract"):
        return f"::: {module}.{name}"
    known = {member for base in bases for member in dir(base)}
    # The arguments of a class with a constructor of its own are in its signature, of another one they are its fields.
    code = getattr(inspect.unwrap(kind.__init__), "__code__", None)
    generated = dataclasses.is_dataclass(kind) and code is not None and code.co_filename == "<string>"
    fields = [field.name for field in dataclasses.fields(kind)] if generated else []
    own = [member for member in vars(kind) if member not in known and member not in fields]
    shown = [member for member in (*fields, *own) if not member.startswith("_")]
    # YAML reads a list in brackets; an empty one would mean all.
    return f"::: {module}.{name}\n    options:\n      members: {json.dumps(shown) if shown else 'false'}"


def overview(found: dict[str, list[str]]) -> str:
    """All names in one table."""
    rows = "\n".join(
        f"| [{module}]({module}.md) | {', '.join(f'[`{name}`]({module}.md#{module}.{name})' for name in names)} |"
        for module, names in found.items()
    )
    lead = "Every public name. `import widelimit as wl` stands before all of them."
    return f"# Reference\n\n{lead}\n\n| module | names |\n|---|---|\n{rows}\n"


def _handed_out(file: pathlib.Path) -> dict[str, str]:
    """Name -> where it comes from, relative to the file's folder, as dotted name."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.level == 1:
            for alias in node.names:
                if alias.asname == alias.name and not alias.name.startswith("_"):
                    found[alias.name] = ".".join(filter(None, [node.module, alias.name]))
    return found


def _file(folder: pathlib.Path, origin: str) -> pathlib.Path | None:
    """The file of a module; None for what is none."""
    path = folder.joinpath(*origin.split("."))
    for file in (path.with_suffix(".py"), path / "__init__.py"):
        if file.is_file():
            return file
    return None


def _defined(file: pathlib.Path) -> list[str]:
    """What a module of one file defines: functions, classes and constants without an underscore."""
    names = []
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.append(node.name)
        elif isinstance(node, ast.Assign):
            names += [target.id for target in node.targets if isinstance(target, ast.Name)]
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names.append(node.target.id)
    return [name for name in names if not name.startswith("_")]
