"""`widelimit schema`: what it takes and refuses, beside what a run does."""

import json
import pathlib
import tomllib

import pytest

from .conftest import TOML, call

EXAMPLES = sorted((pathlib.Path(__file__).parents[2] / "examples").glob("*.toml"))
TWO = """
[[networks]]
widths = 8
dynamics = "gradient_flow"
schedule = 0.5
"""


@pytest.fixture(scope="module")
def schemas():
    printed = [json.loads(call("schema", *more).out) for more in ((), ("--sweep",))]
    from jsonschema import Draft202012Validator

    for schema in printed:
        Draft202012Validator.check_schema(schema)
    plain, swept = map(Draft202012Validator, printed)
    return {"plain": plain, "swept": swept}


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_every_example_is_one(schemas, path):
    tables = tomllib.loads(path.read_text(encoding="utf-8"))
    right, wrong = ("swept", "plain") if "sweep" in tables else ("plain", "swept")
    assert [error.message for error in schemas[right].iter_errors(tables)] == []
    assert not schemas[wrong].is_valid(tables)


def taken(tables):
    """Whether a run takes the tables as well: the schema must not refuse what works, nor take what is refused here."""
    from widelimit.runs.errors import ProblemFileError
    from widelimit.runs.parse._problem_file import check

    try:
        check(tables, "problem.toml")
    except ProblemFileError:
        return False
    return True


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('target = "y"', 'target = ["y", "z"]'),
        ('activation = "tanh"', 'activation = { kind = "leaky_relu", negative = 0.2 }'),
        ('activation = "tanh"', 'activation = "leaky_relu"'),
        ("[unit]\nkind", '[network]\nkind = "wide_resnet"\ndepth = 2\nactivation = "tanh"\n[domain]\n#'),
        ("[time]", '[loss]\nkind = "huber"\n[time]'),
        ("[time]", '[start]\nweight = { law = "normal", std = "1/sqrt(d)" }\nbias = "atom"\n[time]'),
        ("[time]", "[mobility]\noutput = 10.0\n[time]"),
        ("[time]", '[mobility]\nkind = "polar"\n[time]'),
        ("[time]", '[penalty]\nl2 = 0.1\nl2_blocks = "output"\n[time]'),
        ("particles = 8", "tolerance = 0.1\nfirst_particles = 16"),
        ("particles = 8", 'dynamics = "quantiles"\nrtol = 1e-8'),
        ("seeds = 2", "seeds = [3, 4]"),
        ("batch = 4", 'batch = 4\nsampling = "full"\nschedule = { kind = "power", exponent = 0.25 }'),
        ("[limit]\nparticles = 8", ""),
        ("[[networks]]", TWO + "[[networks]]"),
    ],
)
def test_what_a_run_takes(schemas, old, new):
    assert old in TOML
    text = TOML.replace(old, new)
    if "[domain]" in text:
        text = text.replace('\nactivation = "tanh"\n\n[time]', "\n[time]")
    tables = tomllib.loads(text)
    assert taken(tables)
    assert [error.message for error in schemas["plain"].iter_errors(tables)] == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("[time]", "[tmie]"),
        ("t1 = 0.5", "t1 = -0.5"),
        ("t1 = 0.5", "t1 = 0"),
        ("t1 = 0.5", 't1 = "long"'),
        ("t1 = 0.5\n", ""),
        ("saves = 4", "saves = 1"),
        ("saves = 4", "saves = 4.5"),
        ("saves = 4", "save = 4"),
        ('source = "tiny.csv"', ""),
        ('kind = "neuron"', 'kind = "neuro"'),
        ('kind = "neuron"\n', ""),
        ('activation = "tanh"', 'activation = "tahn"'),
        ('activation = "tanh"', 'activation = { kind = "leaky_relu", negtive = 0.2 }'),
        ('activation = "tanh"', 'activation = "piecewise_linear"'),
        ("held_out = 0.25", "held_out = 1"),
        ('target = "y"', 'target = ""'),
        ("[time]", '[loss]\nkind = "huber"\nthreshold = 0\n[time]'),
        ("[time]", '[mobility]\noutput = "10"\n[time]'),
        ("[time]", '[start]\nweight = { law = "normal", std = "sqrt(d)" }\n[time]'),
        ("[time]", '[start]\nweight = "uniform"\n[time]'),
        ("particles = 8", "particles = 1"),
        ("particles = 8", "cells = 8"),
        ("particles = 8", 'dynamics = "sgd"\nstep = 0.1'),
        ("[[networks]]", "[networks]"),
        ("widths = [4]\n", ""),
        ("widths = [4]", "widths = []"),
        ("widths = [4]", "widths = [0]"),
        ("seeds = 2", "seeds = 0"),
        ("step = 0.05\n", ""),
        ("[time]", '[network]\nkind = "wide_resnet"\ndepth = 2\nactivation = "tanh"\n[time]'),
        ('[unit]\nkind = "neuron"\nactivation = "tanh"', ""),
        ("[limit]", "[sweep]\nseeds = 2\n[limit]"),
    ],
)
def test_what_a_run_refuses(schemas, old, new):
    assert old in TOML
    tables = tomllib.loads(TOML.replace(old, new, 1))
    assert not taken(tables)
    assert not schemas["plain"].is_valid(tables)


def test_a_sweep_may_set_what_is_needed_and_must_be_there(schemas):
    without = TOML.replace("step = 0.05\n", "").replace('kind = "neuron"\n', "")
    swept = "[sweep.grid]\nnetworks.step = [0.1]\nunit.kind = ['neuron']\n"
    assert schemas["swept"].is_valid(tomllib.loads(without + swept))
    assert not schemas["swept"].is_valid(tomllib.loads(TOML))
    for wrong in ("[sweep]\nseds = 2\n", "[sweep]\nresponse = 'rsik'\n", "[[sweep.draw]]\nxx = 'time.t1'\n"):
        assert not schemas["swept"].is_valid(tomllib.loads(TOML + wrong))


def test_names_and_keys_are_explained(schemas):
    definitions = schemas["plain"].schema["$defs"]
    assert definitions["sgd"]["properties"]["step"]["description"] == "eps > 0."
    assert definitions["huber"]["description"].startswith("(f - y)^2 / 2 up to |f - y|")
    assert definitions["DataSection"]["properties"]["scaling"]["enum"] == ["unit-variance", "unit-norm", "none"]
    assert definitions["DataSection"]["properties"]["held_out"]["description"].startswith("The fraction of rows")
    text = json.dumps(definitions)
    assert '"null"' not in text
    assert "discriminator" not in text


def test_every_registered_thing_is_offered(schemas):
    from widelimit.measure import laws
    from widelimit.problem import activations, losses, units

    known = {
        one["const"]
        for each in schemas["plain"].schema["$defs"].values()
        for one in each["properties"].values()
        if "const" in one
    }
    for registry in (units.registry, activations.registry, losses.registry, laws.registry):
        assert set(registry.names) <= known
