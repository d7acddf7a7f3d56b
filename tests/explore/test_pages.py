"""Every page: what it declares, and that its sliders do what they say without compiling anything anew."""

import contextlib

import numpy as np
import pytest

from widelimit.explore import Frame, Page, Slider, every_page, page_named, svg

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
