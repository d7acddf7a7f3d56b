"""Every page: what it declares, and that its sliders do what they say without compiling anything anew."""

import contextlib
import dataclasses
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from widelimit.explore import Frame, Page, Slider, _first, every_page, page_named, svg

NAMES = [page.name for page in every_page()]
_COMPILED = "/jax/core/compile/backend_compile_duration"


@contextlib.contextmanager
def compilations():
    """The number of programs compiled within, in a list of one."""
    from jax import monitoring

    count, on = [0], [True]

    def listen(name, seconds, **more):
        count[0] += name == _COMPILED and on[0]

    monitoring.register_event_duration_secs_listener(listen)
    try:
        yield count
    finally:
        on[0] = False


@pytest.fixture(scope="module")
def found():
    """What pages compute at their first values, by page and level: computed once."""
    kept = {}

    def compute(page, level):
        if (page.name, level) not in kept:
            kept[page.name, level] = page.compute(page.start, level)
        return kept[page.name, level]

    return compute


def numbers(arrays):
    return {name: np.asarray(value, float) for name, value in arrays.items() if np.ndim(value) or np.isreal(value)}


def differ(one, other):
    """Whether a picture would show it: an array that is another by more than rounding."""
    a, b = numbers(one), numbers(other)
    return any(x.shape != b[k].shape or not np.allclose(x, b[k], rtol=1e-6, atol=1e-9) for k, x in a.items() if x.ndim)


def test_pages_have_names_of_their_own_and_all_words():
    assert len(set(NAMES)) == len(NAMES) >= 2
    for page in every_page():
        assert page.title
        assert page.question.endswith("?")
        assert len(page.text) > 100
        assert all(slider.text.endswith((".", ":")) for slider in page.sliders)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_sliders_change_the_picture_and_compile_nothing(name, found):
    page = page_named(name)
    first = [found(page, level) for level in range(page.levels)]
    for slider in page.sliders:
        # The finest level takes long: it is asked at one end, where a slider is not already.
        ends = [value for value in (slider.values[0], slider.values[-1]) if value != slider.start]
        for value in ends:
            for level in range(page.levels if value == ends[-1] else page.levels - 1):
                with compilations() as count:
                    other = page.compute({**page.start, slider.name: value}, level)
                assert count == [0], (slider.name, value, level)
                assert differ(first[level], other), (slider.name, value, level)
                assert all(np.all(np.isfinite(array)) for array in numbers(other).values()), (slider.name, value)
                svg(page.draw(other), Frame(3, len(other["t"])))
                assert "nan" not in page.caption(other) + page.alt(other)


@pytest.mark.parametrize("name", NAMES)
def test_the_first_picture_is_in_the_package(name):
    page = page_named(name)
    arrays = _first.stored(page)
    assert arrays is not None, "make first-pictures"
    assert "nan" not in page.caption(arrays) + page.alt(arrays)
    svg(page.draw(arrays), Frame(3, len(arrays["t"])))
    # It is that of the first values alone.
    moved = dataclasses.replace(page.sliders[0], start=page.sliders[0].values[0])
    assert moved != page.sliders[0]
    assert _first.stored(dataclasses.replace(page, sliders=(moved, *page.sliders[1:]))) is None


def test_neurons_that_see_no_input_are_said_to_be_lost():
    page = page_named("yarotsky2018/fig2")
    arrays = _first.stored(page)
    assert "0.1" not in page.caption(arrays).split("loss")[-1]
    gone = arrays | {"network": np.asarray(arrays["network"]) + np.array([0.0, 5.0])}
    assert "All of them are beyond h = 1" in page.caption(gone)
    assert page.caption(gone).endswith("the prediction 0 has the loss 0.1.")


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_the_first_picture_is_what_the_page_computes(name, found):
    page = page_named(name)
    kept, now = numbers(_first.stored(page)), numbers(found(page, page.levels - 1))
    assert kept.keys() == now.keys(), "make first-pictures"
    for key, value in now.items():
        # Another processor or program rounds otherwise, which runs in float32 near r = 0 amplify to two per cent.
        np.testing.assert_allclose(
            kept[key], value, atol=0.05 * np.max(np.abs(value)), err_msg=f"{key}: make first-pictures"
        )


def test_nothing_slow_is_imported_before_a_slider_moves():
    script = "import sys; from widelimit.explore import every_page, _first; _first.stored(every_page()[0]); "
    script += "print(*({'jax', 'scipy', 'matplotlib', 'marimo'} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == ""


def test_two_who_ask_at_once_compile_once():
    asked = []

    def compute(values, level):
        asked.append((values["rate"], level))
        time.sleep(0.05)
        return {"t": np.zeros(1)}

    page = page_named(NAMES[0])
    rate = Slider("rate", "rate", (1.0, 2.0), 1.0, "A rate.")
    own = dataclasses.replace(page, name="mine", sliders=(rate,), compute=compute)
    threads = [threading.Thread(target=_first.computed, args=(own, {"rate": 2.0}, 0)) for _ in range(3)]
    assert not _first.is_ready(own)
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert asked == [(1.0, 0), *[(2.0, 0)] * 3]
    _first.get_ready(own)
    assert asked[4:] == [(1.0, 1)]
    assert _first.is_ready(own)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_the_same_values_give_the_same_picture(name, found):
    page = page_named(name)
    again = page.compute(page.start, 0)
    assert svg(page.draw(again), Frame(1, len(again["t"]))) == svg(page.draw(found(page, 0)), Frame(1, len(again["t"])))


def test_a_paper_gives_its_first_page_and_a_wrong_name_the_nearest():
    assert page_named("mei2018").name == "mei2018/fig1"
    with pytest.raises(ValueError, match="Did you mean 'mei2018/fig4'"):
        page_named("mei2018/fig5")


@pytest.mark.parametrize(
    ("values", "start", "why"),
    [((1.0,), 1.0, "two values"), ((1.0, 1.0), 1.0, "increase"), ((1.0, 2.0), 1.5, "none of its values")],
)
def test_sliders_that_are_none(values, start, why):
    with pytest.raises(ValueError, match=why):
        Slider("x", "x", values, start, "What it is.")


def test_a_page_knows_where_its_sliders_begin():
    page = page_named(NAMES[0])
    assert isinstance(page, Page)
    assert page.start == {slider.name: slider.start for slider in page.sliders}
