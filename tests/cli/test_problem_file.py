"""Problem files: what a good one says, and that a bad one is refused with its place."""

import pathlib
import tomllib

import pytest
from hypothesis import given, settings, strategies as st

from widelimit._sweep import plan_file
from widelimit.runs.call._build import Built, build
from widelimit.runs.errors import ProblemFileError
from widelimit.runs.parse import read_problem_file
from widelimit.runs.parse._problem_file import ProblemFile, check, parse

EXAMPLES = pathlib.Path(__file__).parents[2] / "examples"

BASE = """
[data]
source = "sklearn:digits"
classes = [3, 8]

[unit]
kind = "neuron"
activation = "tanh"

[time]
t1 = 1.0
"""
SGD = '[[networks]]\nwidths = [4]\ndynamics = "sgd"\nstep = 0.1\n'
FLOW = '[[networks]]\nwidths = [4, 8]\nseeds = [7]\ndynamics = "gradient_flow"\n'


def read(text):
    return check(parse(text.encode(), "problem.toml"), "problem.toml")


def complaint(text):
    with pytest.raises(ProblemFileError) as caught:
        read(text)
    message = str(caught.value)
    assert message.startswith("problem.toml: ")
    return message.removeprefix("problem.toml: ")


def test_what_is_left_out_has_defaults():
    problem = read(BASE)
    assert problem.loss.kind == "squared"
    assert problem.law("output") == {"law": "normal"}
    assert problem.law("weight")["std"] == "1/sqrt(d)"
    assert problem.law("bias") == {"law": "atom"}
    assert problem.networks == ()


def test_seeds_are_a_count_or_a_list():
    problem = read(BASE + SGD.replace("step", "seeds = 3\nstep") + FLOW)
    assert problem.networks[0].seeds == (0, 1, 2)
    assert problem.networks[1].seeds == (7,)


_FILES = {path: tomllib.loads(path.read_text(encoding="utf-8")) for path in sorted(EXAMPLES.glob("*.toml"))}
_MANY = [path for path, tables in _FILES.items() if "sweep" in tables]


@pytest.mark.parametrize("path", _MANY, ids=lambda path: path.stem)
def test_the_examples_of_many_runs_are_good(path):
    plan, _ = plan_file(path, ())
    assert len(plan.runs) > 1


@pytest.mark.parametrize("path", [path for path in _FILES if path not in _MANY], ids=lambda path: path.stem)
def test_the_examples_are_good(path):
    problem, content = read_problem_file(path)
    assert problem.title
    assert tomllib.loads(content.decode())["title"] == problem.title


def test_a_path_counts_from_the_problem_file(tmp_path):
    path = tmp_path / "problem.toml"
    path.write_text(BASE.replace("sklearn:digits", "some/table.csv"))
    problem, _ = read_problem_file(path)
    assert pathlib.Path(problem.data.source) == tmp_path / "some" / "table.csv"


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('"tanh"', '"tanhh"', "[unit] activation: 'tanhh' is not known; allowed are arctan, erf, gaussian, "),
        ('"tanh"', '"tanhh"', "Did you mean 'tanh'?"),
        (
            '"neuron"',
            '"neurn"',
            "[unit] kind: 'neurn' is not known; allowed are canonical_relu, exponential, free_knot, neuron, ",
        ),
        (
            'kind = "neuron"',
            "",
            "[unit] kind: is missing; allowed are canonical_relu, exponential, free_knot, neuron, ",
        ),
        ("activation", "activaton", "[unit] activaton: 'activaton' is not known"),
        ("activation", "activaton", "Did you mean 'activation'?"),
        ('kind = "neuron"\nactivation = "tanh"', 'kind = "radial_basis"\nwidth = 0', "[unit] width: must be"),
        ("[time]", "[tmie]", "Did you mean 'time'?"),
        ("t1 = 1.0", "t1 = 0", "[time] t1: must be greater than 0, got 0."),
        ("t1 = 1.0", "t1 = -1.5", "[time] t1: must be greater than 0, got -1.5."),
        ("t1 = 1.0", "t1 = nan", "[time] t1: must be finite, got nan."),
        ("t1 = 1.0", "t1 = inf", "[time] t1: must be finite, got inf."),
        ("t1 = 1.0", 't1 = "1"', "[time] t1: expected a number, got '1'."),
        ("t1 = 1.0", "t1 = true", "[time] t1: expected a number, got true."),
        ("t1 = 1.0", "", "[time] t1: is missing."),
        ("[3, 8]", "[3]", "[data] classes: expected 2 or more entries, got 1."),
        ("[3, 8]", "[3, 1979-05-27]", "[data] classes: expected numbers or texts"),
        ("classes = [3, 8]", "held_out = 1.0", "[data] held_out: must be less than 1, got 1.0."),
        ("classes = [3, 8]", 'scaling = "unit-varance"', "Did you mean 'unit-variance'?"),
        ("[3, 8]", '[3, 8]\ntarget_scaling = "unit-variance"', "[data] target_scaling: classes are"),
    ],
)
def test_a_wrong_value_is_refused_with_its_place(old, new, expected):
    assert expected in complaint(BASE.replace(old, new))


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        (SGD.replace("[4]", "[4, 0]"), "[[networks]] 1, widths[1]: must be at least 1, got 0."),
        (SGD.replace("[4]", "4.5"), "[[networks]] 1, widths: expected a list, got 4.5."),
        (SGD.replace("[4]", "[4, 4]"), "[[networks]] 1, widths: 4 is there twice."),
        (SGD.replace("0.1", "-0.1"), "[[networks]] 1, step: must be greater than 0, got -0.1."),
        (SGD.replace("0.1", "1.5"), "[[networks]] 1, step: must be at most t1 = 1, got 1.5."),
        (FLOW + SGD.replace("0.1", "1.5"), "[[networks]] 2, step: must be at most t1 = 1, got 1.5."),
        (SGD.replace("sgd", "sdg"), "[[networks]] 1, dynamics: 'sdg' is not known; allowed are characteristics, "),
        (FLOW + "step = 0.1\n", "[[networks]] 1, step: 'step' is not known"),
        (SGD + "seeds = 0\n", "[[networks]] 1, seeds: expected 1 or more entries, got 0."),
        (SGD + "batch = 2.5\n", "[[networks]] 1, batch: expected a whole number, got 2.5."),
        (SGD.replace("[[networks]]", "[networks]"), "[networks]: goes in double brackets, [[networks]]"),
        ("[limit]\nparticles = 1\n", "[limit] particles: must be at least 2, got 1."),
        ("[limit]\nparticles = 8\ntolerance = 0.1\n", "[limit] tolerance: goes with doubling"),
        (
            "[limit]\nmost_particles = 64\n",
            "[limit] most_particles: must be at least 4 first_particles (= 256)",
        ),
        ("[start]\nbias = { law = 'atm' }\n", "[start] bias.law: 'atm' is not known; allowed are atom, "),
        ("[start]\nbias = { law = 'normal', std = -1 }\n", "[start] bias.std: must be at least 0, got -1"),
        ("[start]\nbias = 3\n", "[start] bias: expected a table, got 3."),
        ("[penalty]\nl2 = -1.0\n", "[penalty] l2: must be at least 0, got -1.0."),
        ("[loss]\nkind = 'hubr'\n", "[loss] kind: 'hubr' is not known; allowed are huber, logistic, softmax, squared"),
    ],
)
def test_a_wrong_section_is_refused_with_its_place(more, expected):
    assert expected in complaint(BASE + more)


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ("[start]\noutptu = { law = 'normal' }\n", "[start] outptu: the unit has no such block"),
        ("[start]\noutptu = { law = 'normal' }\n", "Did you mean 'output'?"),
        ("[domain]\nwieght = { kind = 'sphere' }\n", "[domain] wieght: the unit has no such block"),
        ("[mobility]\nwieght = 2.0\n", "[mobility]: Diagonal(wieght=...): the unit has no such block"),
        ("[penalty]\nl2 = 0.1\nl2_blocks = 'outptu'\n", "[penalty]: l2(blocks=...): the unit has no block 'outptu'"),
        ("[scale]\nkind = 'power'\n", "[scale]: with an output scale that changes with the width there is no limit"),
        ("[penalty]\ntotal_variation = 0.1\n", None),
        ("[penalty]\ntotal_variation = 0.1\ntotal_variation_block = 'weight'\nl2 = 0.1\nl2_blocks = ['bias']\n", None),
        ("[scale]\nkind = 'power'\nexponent = 1\nscale = 2.0\n", None),
    ],
)
def test_what_the_unit_and_the_parts_say(more, expected):
    answer = answered(build, read(BASE + more), "problem.toml")
    assert expected in str(answer) if expected else isinstance(answer, Built), answer


def test_a_total_variation_needs_a_charge():
    text = BASE.replace('"tanh"', '"tanh"\noutput_weight = false')
    answer = answered(build, read(text + "[penalty]\ntotal_variation = 0.1\n"), "problem.toml")
    assert "[penalty]: needs 'block', since there is no linear block" in str(answer)


def test_toml_errors_have_a_line():
    assert complaint("[data]\nsource = \n").startswith("line 2: not readable as TOML")
    assert complaint('[data]\nsource = "a\n').startswith("line 2: not readable as TOML")
    with pytest.raises(ProblemFileError, match="line 2: not UTF-8"):
        parse(b"title = 'a'\nb = '\xff'\n", "problem.toml")


def test_a_missing_file_suggests_the_nearest(tmp_path):
    (tmp_path / "digits.toml").write_text(BASE)
    with pytest.raises(ValueError, match=r"there is no such file. Did you mean .*digits.toml"):
        read_problem_file(tmp_path / "digit.toml")


def test_what_is_stored_reads_back_equal():
    problem = read(BASE + SGD + FLOW)
    assert check(problem.model_dump(mode="json", exclude_none=True), "problem.json").networks == problem.networks


def paths_of(tree, here=()):
    """Where there is a value that can be replaced."""
    for key, value in tree.items() if isinstance(tree, dict) else enumerate(tree):
        yield (*here, key)
        if isinstance(value, dict | list):
            yield from paths_of(value, (*here, key))


GOOD = tomllib.loads(
    BASE + "[loss]\nkind = 'huber'\n[limit]\ntolerance = 0.1\n[start]\nbias = { law = 'normal', std = 1.0 }\n"
    "[domain]\nweight = { kind = 'box', lower = -1, upper = 1 }\n[penalty]\nl2 = 0.1\n" + SGD + FLOW
)
KEYS = sorted({key for path in paths_of(GOOD) for key in path if isinstance(key, str)} | {"sgd", "neuron", "a.0"})
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=5),
    st.sampled_from(KEYS),
    st.dates(),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
    max_leaves=8,
)


def replaced(tree, path, value):
    if not path:
        return value
    copy = dict(tree) if isinstance(tree, dict) else list(tree)
    copy[path[0]] = replaced(tree[path[0]], path[1:], value) if len(path) > 1 else value
    return copy


def answered(function, *arguments):
    """What a function gives, or the ProblemFileError that it raises."""
    try:
        return function(*arguments)
    except ProblemFileError as error:
        return error


def is_good_or_refused(tables):
    answer = answered(check, tables, "problem.toml")
    if isinstance(answer, ProblemFileError):
        assert str(answer).startswith("problem.toml: ")
        assert "\n" not in str(answer)
        assert answer.place
    else:
        assert isinstance(answer, ProblemFile)


@settings(max_examples=300)
@given(st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=6))
def test_random_tables_are_good_or_refused(tables):
    is_good_or_refused(tables)


@settings(max_examples=300)
@given(st.sampled_from(sorted(paths_of(GOOD), key=str)), VALUES)
def test_a_good_file_with_one_value_replaced_is_good_or_refused(path, value):
    assert isinstance(check(GOOD, "problem.toml"), ProblemFile)
    is_good_or_refused(replaced(GOOD, path, value))


@settings(max_examples=200)
@given(st.binary(max_size=40) | st.text("[]={}\"'.\n#ab01-\\u", max_size=40).map(str.encode))
def test_random_bytes_are_toml_or_refused(content):
    answer = answered(parse, content, "problem.toml")
    assert isinstance(answer, dict) or str(answer).startswith("problem.toml: ")
