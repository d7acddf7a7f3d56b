r"""The free energy of a density on a grid, and how far above its minimum it is.

On cells with masses m_i, centres theta_i and reference volumes V_i

$$F(m) = R\Big(\sum_i m_i \delta_{\theta_i}\Big) + \sum_i m_i\,\mathrm{penalty}(\theta_i)
        + T \sum_i m_i \log\frac{m_i}{V_i},$$

the discrete form of objective + T INT rho log(rho / vol). V_i is the cell's volume, times the volume element of a
reduced problem (SUM_g (d_g - 1) log r_g in the exponent) at the centre.
"""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from widelimit.dynamics.grid import log_density, log_volumes
from widelimit.measure import GridDensity, Measure
from widelimit.numerics import real_number
from widelimit.problem import Problem
from widelimit.problem.data import require_nodes

from .._measures import check_convex, check_mean


def free_energy(problem: Problem, density: Measure, temperature: float) -> Float[Array, ""]:
    r"""$F(\rho) = \mathrm{objective}(\rho) + T \int \rho \log(\rho/\mathrm{vol})$ on the cells of a grid.

    mei2018's $F_{\beta,\lambda}$ is half of it, with T = 2/beta. It never rises along noisy gradient flow.

    **Arguments**

    - `density`: masses that sum to 1.
    - `temperature`: T > 0.

    **Raises** `ValueError` for a measure without a density, T <= 0, a reduction at d = infinity, and data without
    nodes.
    """
    check_mean(problem, "free_energy")
    require_nodes(problem.data, "free_energy")
    rho = as_density(problem, density, temperature, "free_energy")
    return energies(problem, rho, log_volumes(problem, rho.grid).ravel(), jnp.asarray(temperature, float))[0]


def free_energy_gap(problem: Problem, density: Measure, temperature: float) -> Float[Array, ""]:
    r"""A bound on $F(\rho) - \min F$ over densities on the grid: $T\,\mathrm{KL}(\rho \,\|\, \mathrm{Gibbs}[\rho])$,

    $$\mathrm{Gibbs}[\rho]_i = V_i\, e^{-\psi(\theta_i; \rho)/T} / Z.$$

    Proof. Let m be the masses of rho, n any others, G = Gibbs[m], and Ent(m) = SUM m_i log(m_i/V_i). The objective is
    convex and psi its gradient in the masses, so objective(m) - objective(n) <= <psi, m> - <psi, n>, hence
    F(m) - F(n) <= [<psi, m> + T Ent(m)] - [<psi, n> + T Ent(n)]. Now log G_i = log V_i - psi_i/T - log Z turns
    <psi, n> + T Ent(n) into T KL(n || G) - T log Z >= -T log Z, and the first bracket into T KL(m || G) - T log Z.

    It is zero at the minimum only. Arguments and errors as in `free_energy`; the loss must be convex.
    """
    check_mean(problem, "free_energy_gap")
    require_nodes(problem.data, "free_energy_gap")
    check_convex(problem, "free_energy_gap")
    rho = as_density(problem, density, temperature, "free_energy_gap")
    heat = jnp.asarray(temperature, float)
    target = log_gibbs(problem, rho, log_volumes(problem, rho.grid).ravel(), heat)
    return scaled_divergence(rho.weights, target, heat)


@eqx.filter_jit
def log_gibbs(problem: Problem, density: GridDensity, log_v: Any, temperature: Any) -> Float[Array, " N"]:
    """log of the masses of Gibbs[rho]."""
    psi = problem.potential(density)(density.positions)
    return jax.nn.log_softmax(log_v - psi / temperature)


@eqx.filter_jit
def energies(problem: Problem, density: GridDensity, log_v: Any, temperature: Any) -> tuple[Array, Array]:
    """The free energy, and its part without the entropy."""
    m, objective = density.weights, problem.objective(density)
    return objective + temperature * jnp.sum(m * log_density(m, log_v)), objective


@eqx.filter_jit
def scaled_divergence(m: Any, log_g: Any, temperature: Any) -> Float[Array, ""]:
    """T KL(m || G)."""
    # With - m + g, which add up to nothing, every term is nonnegative: no cancellation between cells near the minimum.
    return temperature * jnp.maximum(jnp.sum(m * log_density(m, log_g) - m + jnp.exp(log_g)), 0.0)


def as_density(problem: Problem, density: Measure, temperature: float, who: str) -> GridDensity:
    """The density, its axes in the problem's order.

    Raises `ValueError` unless it is one, on a grid of the problem's dimension, and T > 0.
    """
    real_number(temperature, f"{who}(temperature=...)", above=0.0)
    if not isinstance(density, GridDensity):
        raise ValueError(
            f"{who}(density=...): expected a GridDensity, got {type(density).__name__}; "
            "the free energy of atoms is infinite."
        )
    ordered: GridDensity = problem.arranged(density)
    masses = np.asarray(ordered.masses)
    if not np.all(masses >= 0) or abs(masses.sum() - 1.0) > 1e-9:
        raise ValueError(
            f"{who}(density=...): the masses must not be negative and sum to 1; they sum to {masses.sum():.12g}, the "
            f"least is {masses.min():.3g}."
        )
    if not np.isfinite(float(problem.objective(ordered))):
        raise ValueError(f"{who}(density=...): its objective is not finite; take a grid where unit and penalty are.")
    return ordered
