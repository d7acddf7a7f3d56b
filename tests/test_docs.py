"""Every block of Python in README and docs runs, page by page, each after the ones above it."""

import ast
import builtins
import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).parents[1]
DOCS = sorted((ROOT / "docs").rglob("*.md"))
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PAGES = {
    str(path.relative_to(ROOT)): BLOCK.findall(path.read_text(encoding="utf-8"))
    for path in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *DOCS)
}
PAGES = {name: blocks for name, blocks in PAGES.items() if blocks}


def test_the_pages_with_code():
    assert {"README.md", "docs/limit.md", "docs/linear.md", "docs/papers.md"} <= set(PAGES)


@pytest.mark.parametrize("page", PAGES)
def test_every_name_is_there(page):
    known = set(dir(builtins))
    kinds = ast.Name | ast.alias | ast.arg | ast.FunctionDef
    for block in PAGES[page]:
        names = [node for node in ast.walk(ast.parse(block)) if isinstance(node, kinds)]
        for node in names:
            if isinstance(node, ast.alias):
                known.add((node.asname or node.name).partition(".")[0])
            elif isinstance(node, ast.FunctionDef):
                known.add(node.name)
            elif isinstance(node, ast.arg):
                known.add(node.arg)
            elif isinstance(node.ctx, ast.Store):
                known.add(node.id)
        unknown = {node.id for node in names if isinstance(node, ast.Name)} - known
        assert not unknown, f"{page}: {', '.join(sorted(unknown))} in\n{block}"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.* columns are constant")
@pytest.mark.parametrize("page", PAGES)
def test_every_block_runs(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {}
    for block in PAGES[page]:
        exec(compile(block, page, "exec"), names)


def test_no_two_blocks_write_one_file():
    text = "".join(block for blocks in PAGES.values() for block in blocks)
    written = re.findall(r'(?:save|open|Path)\("([^"]+)"', text)
    assert sorted(set(written)) == sorted(written)


@pytest.mark.parametrize("page", ["README.md", *(str(path.relative_to(ROOT)) for path in DOCS)])
def test_every_command_is_one(page):
    from widelimit.cli import app

    known = {command.name or command.callback.__name__ for command in app.registered_commands if command.callback}
    text = (ROOT / page).read_text(encoding="utf-8")
    named = set(re.findall(r"^    widelimit (\w+)", text, re.MULTILINE)) | set(re.findall(r"`widelimit (\w+)", text))
    assert named <= known, named - known
