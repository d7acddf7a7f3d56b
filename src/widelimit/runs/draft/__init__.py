"""A first problem file for a table of one's own, or a copy of one that is ready."""

from ._guess import Guess as Guess, guess as guess
from ._ready import copy_of as copy_of, ready as ready
from ._write import draft as draft
