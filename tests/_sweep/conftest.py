"""A tiny problem file with a [sweep]. Nothing here may import widelimit at the top."""

import pathlib

TOML = """
title = "Tiny"

[data]
source = "tiny.csv"
target = "y"
held_out = 0.25

[unit]
kind = "neuron"
activation = "tanh"

[time]
t1 = 0.5
saves = 4

[predict]
order = 0

[limit]
particles = 8

[[networks]]
dynamics = "sgd"
batch = 4
"""
SWEEP = """
[sweep]
seeds = 3

[sweep.grid]
networks.widths = [4, 8]
networks.step = [0.05, 0.1]
"""

# Numbers alone vary: all runs share their programs.
DRAWN = """
[sweep]
seeds = 3

[sweep.grid]
networks.widths = [4]
networks.step = [0.05, 0.1]
start.output.std = [0.5, 1.0]

[[sweep.draw]]
x = "networks.step"
y = "start.output.std"

[[sweep.draw]]
x = "networks.step"
"""
START = '[start]\noutput = { law = "normal", std = 1.0 }\n'


def write_tiny(folder: pathlib.Path, toml: str = TOML + SWEEP) -> pathlib.Path:
    """tiny.toml and its data; the path of the former."""
    rows = [f"{k % 5},{(k * k) % 7},{((3 * k) % 11) / 5}" for k in range(16)]
    (folder / "tiny.csv").write_text("\n".join(["a,b,y", *rows]) + "\n")
    path = folder / "tiny.toml"
    path.write_text(toml)
    return path
