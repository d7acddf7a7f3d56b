"""The app in Chromium without a window: every page, by keyboard alone, at two widths, and no other machine is asked."""

import contextlib
import os
import pathlib
import subprocess
import sys

import pytest
from explore import browser

from widelimit.explore import every_page, page_named

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(browser.found() is None, reason=f"no Chromium here ({', '.join(browser.NAMES)})"),
]
NAMES = [page.name for page in every_page()]
PICTURE = "document.querySelector('.wl-picture img')"
FINISHED = "document.querySelector('.wl-state')?.textContent === ''"
# The element that has the keyboard, inside of whatever shadow it is.
FOCUSED = """(() => {
    let a = document.activeElement;
    while (a && a.shadowRoot && a.shadowRoot.activeElement) a = a.shadowRoot.activeElement;
    return a && {role: a.getAttribute('role') || a.tagName.toLowerCase(), now: a.getAttribute('aria-valuenow'),
                 named: Boolean(a.getAttribute('aria-labelledby')), text: a.textContent};
})()"""
FILE = """
[data]
source = "table.csv"
target = "y"

[unit]
kind = "neuron"
activation = "tanh"

[time]
t1 = 2.0

[[networks]]
widths = [8]
dynamics = "sgd"
step = 0.02
"""


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """Of an app that serves the pages and that of a problem file."""
    folder = tmp_path_factory.mktemp("app")
    rows = [f"{k % 5},{(k * k) % 7},{((3 * k) % 11) / 5}" for k in range(20)]
    (folder / "table.csv").write_text("\n".join(["a,b,y", *rows]) + "\n")
    (folder / "own.toml").write_text(FILE)
    script = "from widelimit.cli import main; main()"
    command = [sys.executable, "-c", script, "explore", "own.toml", "--no-browser"]
    out = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    with subprocess.Popen(command, cwd=folder, env=os.environ, **out) as process, contextlib.ExitStack() as stack:
        stack.callback(process.kill)
        assert process.stdout is not None
        yield process.stdout.readline().split()[0]


@pytest.fixture(scope="module")
def new_tab(tmp_path_factory):
    with browser.chromium(pathlib.Path(tmp_path_factory.mktemp("chromium"))) as tab:
        yield tab


@pytest.fixture
def tab(new_tab):
    return new_tab()


def opened(tab, address, name, width, height=900):
    """The tab with the page in it, its finest picture there."""
    tab.size(width, height)
    tab.open(f"{address}/?page={name}")
    tab.until(f"{PICTURE} !== null", seconds=180.0)
    tab.until(FINISHED, seconds=180.0)


def source(tab):
    return tab.run(f"{PICTURE}.currentSrc")


def changed(tab, before):
    tab.until(f"{PICTURE}.currentSrc !== {before!r}")


@pytest.mark.parametrize("name", ["file", *NAMES])
def test_every_slider_changes_the_picture_by_the_keyboard(name, tab, address):
    opened(tab, address, name, 1440)
    # The choice of the page comes first, then the sliders in their order, the moment, and two buttons.
    tab.press("Tab")
    assert tab.run(FOCUSED)["role"] == "select"
    names = [slider.name for slider in page_named(name).sliders] if name != "file" else ["five"] * 5
    for _ in [*names, "moment"]:
        tab.press("Tab")
        focused = tab.run(FOCUSED)
        assert focused["role"] == "slider"
        assert focused["named"]
        before = source(tab)
        tab.press("ArrowLeft" if int(focused["now"]) > 0 else "ArrowRight")
        changed(tab, before)
        tab.until(FINISHED)
    assert tab.faults == []


@pytest.mark.parametrize("name", ["file", *NAMES])
def test_on_a_telephone_nothing_is_wider_than_the_screen(name, tab, address):
    opened(tab, address, name, 390, 844)
    assert tab.run("document.documentElement.scrollWidth") <= 390
    app = "document.querySelector('#App')"
    assert tab.run(f"{app}.scrollWidth <= {app}.clientWidth")
    # The narrow picture, at its own size.
    assert tab.run(f"{PICTURE}.naturalWidth") == 360
    assert tab.run(f"{PICTURE}.clientWidth") > 300
    assert len(tab.run(f"{PICTURE}.alt")) > 50
    # The sliders are at the foot of the screen, wherever the page is.
    for place in (0, 10_000):
        tab.run(f"(document.querySelector('#App').scrollTo(0, {place}), window.scrollTo(0, {place}))")
        low = tab.run("(r => [r.top, r.bottom])(document.querySelector('.wl-controls').getBoundingClientRect())")
        assert 844 / 2 < low[0] < low[1] <= 844 + 1
    assert tab.faults == []


def test_play_and_reset_by_the_keyboard(tab, address):
    name = "teacherstudent2020/levels"
    opened(tab, address, name, 1440)
    first = source(tab)
    tab.press("Tab")
    tab.press("Tab")
    tab.press("ArrowRight")
    changed(tab, first)
    for _ in page_named(name).sliders:
        tab.press("Tab")
    tab.press("Tab")
    assert "Play" in tab.run(FOCUSED)["text"]
    before = source(tab)
    tab.press("Enter")
    changed(tab, before)
    tab.until(f"atob({PICTURE}.currentSrc.split(',')[1]).includes('<animate ')")
    tab.press("Tab")
    assert "Reset" in tab.run(FOCUSED)["text"]
    tab.press(" ")
    tab.until(FINISHED)
    tab.until(f"{PICTURE}.currentSrc === {first!r}")
    assert tab.faults == []


def test_another_page_is_chosen_by_the_keyboard(tab, address):
    opened(tab, address, NAMES[0], 1440)
    tab.press("Tab")
    tab.press("ArrowDown")
    title = page_named(NAMES[1]).title
    tab.until(f"document.querySelector('.wl-title h1').textContent === {title!r}")
    assert tab.faults == []
