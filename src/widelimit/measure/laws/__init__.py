"""Laws: what the particles are drawn from. A law is no measure; it is sampled or quantised into one."""

from ._atom import Atom as Atom
from ._chi import Chi as Chi
from ._cube import Gauss as Gauss, Midpoint as Midpoint, Rule as Rule, Sobol as Sobol
from ._empirical import Empirical as Empirical
from ._file import load as load
from ._gaussian import Gaussian as Gaussian
from ._law import AbstractLaw as AbstractLaw, Line as Line, registry as registry
from ._mixture import Mixture as Mixture
from ._normal import Normal as Normal
from ._product import Product as Product, product as product
from ._sphere import Sphere as Sphere
from ._uniform import Uniform as Uniform
