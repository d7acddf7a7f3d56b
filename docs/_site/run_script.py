"""Run one script of the gallery: `python run_script.py SCRIPT` writes its open figures as PNG into this folder."""

import runpy
import sys

import matplotlib

matplotlib.use("agg")
from matplotlib import pyplot

import widelimit

pyplot.rcParams.update({"figure.dpi": 130, "savefig.dpi": 130, "font.size": 11})
widelimit.keep_compiled()
runpy.run_path(sys.argv[1], run_name="__main__")
for number in pyplot.get_fignums():
    pyplot.figure(number).savefig(f"figure-{number:02d}.png", metadata={"Software": None})
