"""The numbers of a run, on the terminal and on a page."""

from ._runs import runs_of as runs_of
