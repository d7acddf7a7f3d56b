"""Closed forms of the papers, arrays in, arrays out: an oracle for tests and claims that no solver leans on.

Everything here is NumPy and SciPy, by other routes than the library's own (adaptive quadrature with break points,
bracketed roots), in the papers' own symbols.
"""

from . import (
    mei2018 as mei2018,
    rotskoff2018 as rotskoff2018,
    teacherstudent2020 as teacherstudent2020,
    williams2019 as williams2019,
    yarotsky2018 as yarotsky2018,
)
