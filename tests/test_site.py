"""The documentation's site: every public name has its place, links stay links, formulas are drawn; it builds."""

import importlib
import inspect
import json
import pathlib
import re
import subprocess
import sys
import types
import zlib

import pytest

ROOT = pathlib.Path(__file__).parents[1]


@pytest.fixture(scope="module")
def site():
    """The modules that mkdocs loads."""
    folder = str(ROOT / "docs" / "_site")
    sys.path.insert(0, folder)
    names = ("paths", "reference", "mathml", "gallery")
    yield types.SimpleNamespace(**{name: importlib.import_module(name) for name in names})
    sys.path.remove(folder)


def public_names():
    """What `import widelimit as wl` leads to: `wl.NAME`, and `wl.MODULE.NAME` of the package's own things."""
    import widelimit as wl

    found = set()
    for name in dir(wl):
        thing = getattr(wl, name)
        if not inspect.ismodule(thing):
            found.add(f"widelimit.{name}")
            continue
        for inner, value in vars(thing).items():
            # What a module imports for its own use is defined elsewhere.
            ours = (getattr(value, "__module__", None) or "").startswith(thing.__name__)
            if not inner.startswith("_") and ours and not inspect.ismodule(value):
                found.add(f"widelimit.{name}.{inner}")
    return found - {"widelimit.__version__"}


def test_every_public_name_is_in_the_reference(site):
    listed = {f"{module}.{name}" for module, names in site.reference.pages().items() for name in names}
    missing = public_names() - listed
    # `dynamics.TransportPDE` is `wl.TransportPDE` too: one of the two places is enough.
    assert not {name for name in missing if name.rsplit(".", 1)[1] not in {one.rsplit(".", 1)[1] for one in listed}}
    assert len(listed) > 350
    for name in listed:
        module, _, last = name.rpartition(".")
        thing = importlib.import_module("widelimit")
        for part in module.split(".")[1:]:
            thing = getattr(thing, part)
        assert hasattr(thing, last), name


def test_classes_show_what_is_their_own(site):
    text = site.reference.page("widelimit", ["SGD", "Characteristics", "evolve"])
    assert "::: widelimit.evolve\n" in text + "\n"
    shown = dict(re.findall(r"::: widelimit\.(\w+)\n    options:\n      members: (\[.*\])", text))
    # Fields are arguments where there is no constructor; what every dynamics has is told once, where it is defined.
    assert "particles" in json.loads(shown["Characteristics"])
    assert "step_size" not in json.loads(shown["SGD"])
    assert "init" not in json.loads(shown["SGD"]) + json.loads(shown["Characteristics"])


def test_links_of_the_repository_become_links_of_the_site(site):
    moved = site.paths.rewritten
    text = (
        "[a](../README.md) [b](limit.md#x) [c](../examples/digits.toml) ![d](images/digits-risk.png) [e](https://x.y)"
    )
    assert moved("docs/noise.md", text) == (
        "[a](about/readme.md) [b](limit.md#x) [c](files/examples/digits.toml) ![d](images/digits-risk.png) [e](https://x.y)"
    )
    assert (
        moved("README.md", "[a](docs/limit.md) [b](examples/README.md)") == "[a](../limit.md) [b](examples-readme.md)"
    )
    assert moved("docs/tutorials/teaching.md", "[a](../noise.md)") == "[a](../noise.md)"
    with pytest.raises(ValueError, match=r"docs/noise.md: the link to gone.md leads to no file"):
        moved("docs/noise.md", "[a](gone.md)")


def test_formulas_are_drawn_or_named(site):
    drawn = site.mathml.drawn
    page = drawn('<p><span class="arithmatex">\\(a_1 &lt; b\\)</span></p><div class="arithmatex">\\[\\frac12\\]</div>')
    assert page.count("<math") == 2
    assert "<mfrac>" in page
    assert "arithmatex" not in page
    assert "<mo>arg</mo>" in drawn('<span class="arithmatex">\\(\\arg\\min_x f\\)</span>')
    with pytest.raises(ValueError, match=r"\\nonsense, which is not known"):
        drawn('<span class="arithmatex">\\(\\nonsense{x}\\)</span>')
    with pytest.raises(ValueError, match="cannot be drawn"):
        drawn('<span class="arithmatex">\\(x^a^b\\)</span>')


def test_a_script_without_its_parts_is_named(site, tmp_path):
    script = tmp_path / "one.py"
    script.write_text('"""Title\n\nText with $x$.\n\nAlt: a\nline.\n"""\n\nimport numpy\n', encoding="utf-8")
    assert site.gallery.parts(script) == ("Title", "Text with $x$.", "a line.", "\nimport numpy")
    script.write_text('"""Title\n\nText.\n"""\n', encoding="utf-8")
    with pytest.raises(ValueError, match=r"one.py: its docstring must have a title, a text and a line that begins"):
        site.gallery.parts(script)


def test_what_a_script_made_is_kept_until_it_changes(site, tmp_path, monkeypatch):
    monkeypatch.setattr(site.gallery, "SCRIPTS", tmp_path)
    monkeypatch.setattr(site.gallery, "KEPT", tmp_path / "kept")
    ran = []
    monkeypatch.setattr(site.gallery, "_run", lambda script, kept: (ran.append(script.stem), _made(kept)))
    script = tmp_path / "one.py"
    script.write_text('"""Title\n\nText.\n\nAlt: a.\n"""\nprint(1)\n', encoding="utf-8")
    first = site.gallery.examples()[0]
    assert "![a.](one-1.png)" in first.page
    assert "```python\nprint(1)\n```" in first.page
    assert "```text\n1\n```" in first.page
    site.gallery.examples()
    assert ran == ["one"]
    script.write_text(script.read_text(encoding="utf-8") + "print(2)\n", encoding="utf-8")
    site.gallery.examples()
    assert ran == ["one", "one"]


def _made(kept):
    kept.mkdir(parents=True)
    (kept / "figure-01.png").write_bytes(b"")
    (kept / "done.json").write_text('{"output": "1\\n", "pictures": ["figure-01.png"]}', encoding="utf-8")


def test_every_page_has_its_place_in_the_navigation():
    nav = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    pages = [str(path.relative_to(ROOT / "docs")) for path in (ROOT / "docs").rglob("*.md")]
    assert [page for page in pages if f": {page}\n" not in nav] == []


@pytest.mark.slow
def test_the_site_builds_and_needs_no_network(tmp_path):
    """With links, anchors and formulas checked: a warning fails it."""
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-4000:]
    for page in (tmp_path / "site").rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        loaded = re.findall(r'<(?:script|img|iframe)[^>]*\ssrc="(https?:[^"]*)"', text)
        loaded += re.findall(r'<link rel="stylesheet"[^>]*href="(https?:[^"]*)"', text)
        assert not loaded, (page, loaded)
        assert 'class="arithmatex"' not in text
    inventory = (tmp_path / "site" / "objects.inv").read_bytes()
    known = zlib.decompress(inventory[inventory.index(b"\n", inventory.index(b"zlib")) + 1 :]).decode()
    names = {line.split(" ")[0] for line in known.splitlines()}
    assert {"widelimit.evolve", "widelimit.Problem", "widelimit.analysis.spectrum", "widelimit.losses.squared"} <= names
