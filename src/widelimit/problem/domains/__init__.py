"""Domains: where the parameters of a particle may be. Each acts on one block of one particle.

A velocity is projected onto the tangent cone (no flux through the walls; NOTATION, teacherstudent2020), and
after a step the point is put back (`retract`).
"""

from widelimit.numerics.registry import Registry, number, positive, several

from ._abstract import AbstractDomain as AbstractDomain
from ._ball import Ball as Ball
from ._box import Box as Box, Euclidean as Euclidean, HalfLine as HalfLine
from ._closed import Circle as Circle, Sphere as Sphere
from ._product import Product as Product, product as product, resolve as resolve

registry = Registry("domain")
registry.add("box", Box, lower=number(), upper=number())
registry.add("half_line", HalfLine, lower=number())
registry.add("ball", Ball, radius=positive, center=several(number()))
registry.add("sphere", Sphere, radius=positive)
registry.add("circle", Circle, period=positive)
