"""The gallery: the form of its scripts, that their names exist, and that each runs and leaves a labelled picture."""

import ast
import builtins
import importlib
import pathlib
import re
import runpy

import pytest

GALLERY = pathlib.Path(__file__).parents[1] / "docs" / "gallery"
SCRIPTS = sorted(GALLERY.glob("*.py"))
each = pytest.mark.parametrize("path", SCRIPTS, ids=[path.stem for path in SCRIPTS])


def dotted(node: ast.expr) -> str | None:
    """`wl.laws.Normal` of the expression, None for what is no chain of names."""
    if isinstance(node, ast.Attribute):
        before = dotted(node.value)
        return None if before is None else f"{before}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else None


def test_there_are_enough():
    assert len(SCRIPTS) >= 24


@each
def test_form(path):
    text = path.read_text(encoding="utf-8")
    lines = text.splitlines()
    assert re.fullmatch(r"[a-z0-9_]+", path.stem)
    assert len(lines) <= 60
    title, blank, *words = (ast.get_docstring(ast.parse(text)) or "").splitlines()
    assert 10 < len(title) < 90
    assert not title.startswith("#")
    assert blank == ""
    *told, alt = "\n".join(words).strip().split("\n\n")
    assert told
    assert alt.startswith("Alt: ")
    assert len(alt) > 40
    assert alt.endswith(".")
    assert alt.count(". ") == 0
    assert 100 < len("".join(told)) < 1500
    assert "".join(told).count("$") % 2 == 0


@each
def test_every_name_is_there(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    known = set(dir(builtins))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            known |= {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            known.add(node.id)
        elif isinstance(node, ast.arg):
            known.add(node.arg)
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    assert used <= known, used - known
    chains = {name for node in ast.walk(tree) if isinstance(node, ast.Attribute) and (name := dotted(node))}
    assert not [name for name in chains if re.search(r"(^|\.)_", name)]
    for name in sorted(chains):
        first, *rest = name.split(".")
        if first == "wl":
            value = importlib.import_module("widelimit")
            for part in rest:
                assert hasattr(value, part), name
                value = getattr(value, part)


def test_a_name_that_is_not_there_is_found(tmp_path):
    path = tmp_path / "wrong.py"
    for text in ("import widelimit as wl\nwl.laws.Norml(0)", "x = y + 1", "import widelimit as wl\nwl._evolve"):
        path.write_text(text)
        with pytest.raises(AssertionError):
            test_every_name_is_there(path)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.* columns are constant")
@each
def test_runs_and_draws(path, tmp_path, monkeypatch, capsys):
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    monkeypatch.chdir(tmp_path)
    plt.close("all")
    try:
        runpy.run_path(str(path))
        figures = [plt.figure(number) for number in plt.get_fignums()]
        assert figures
        for figure in figures:
            figure.canvas.draw()
            charts = [axes for axes in figure.axes if axes.has_data()]
            assert charts
            assert any(axes.get_xlabel() for axes in charts)
            assert any(axes.get_ylabel() for axes in charts)
    finally:
        plt.close("all")
    assert capsys.readouterr().out.strip()
    assert not list(tmp_path.iterdir())
