"""What the shell completes, and that `python -m widelimit` is the command."""

import os
import subprocess
import sys

import pytest


def test_the_sources_say_what_the_papers_have():
    from widelimit.cli._complete import decorated
    from widelimit.papers import named, names

    for name in names():
        paper = named(name)
        assert decorated(name, "figure") == [figure.name for figure in paper.figures]
        assert sorted(decorated(name, "claim")) == sorted(claim.id for claim in paper.claims)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("reproduce mei", ["mei2018"]),
        ("reproduce mei2018/fig", ["mei2018/fig1", "mei2018/fig2", "mei2018/fig3", "mei2018/fig4"]),
        ("reproduce nobody2018/f", []),
        ("claims yaro", ["yarotsky2018"]),
        ("claims mei2018 --only delta-inf", ["delta-infinity", "delta-infinity-digits"]),
        ("reproduce mei2018 --scale q", ["quick"]),
        ("resu", ["resume"]),
    ],
)
def test_completion_in_bash(words, expected):
    """As the script that `--install-completion` installs asks for it; nothing heavy is imported meanwhile."""
    code = (
        "import sys; from widelimit.cli import main; sys.argv = ['widelimit']\n"
        "try: main()\nfinally: assert not {'jax', 'matplotlib'} & set(sys.modules)"
    )
    line = f"widelimit {words}"
    asked = {"_WIDELIMIT_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(len(line.split()) - 1)}
    done = subprocess.run([sys.executable, "-c", code], env=os.environ | asked, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == expected


def test_python_m_widelimit():
    from widelimit import __version__

    done = subprocess.run([sys.executable, "-m", "widelimit", "--version"], capture_output=True, text=True)
    assert done.stdout == f"widelimit {__version__}\n"
