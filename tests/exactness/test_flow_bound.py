"""What a flow's term bounds: against one-dimensional flows whose log p can be integrated.

Data are a mixture of two Gaussians. A velocity makes two distributions: of the flow, a differential
equation without noise, which pipelines sample; and of the process with Gaussian steps and the same
marginals, of which the variational bound is one (Kingma et al. 2021; Kingma and Gao 2023).
"""

import math
from collections.abc import Callable
from functools import cache
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from sysgraph.objectives.diffusion import (
    flow_weights,
    interpolated,
    log_likelihoods,
    noise_seeds,
    sigmas_of,
    squared_errors,
)
from sysgraph_schemas import Diffusion

Velocity = Callable[[Tensor, Tensor], Tensor]
"""v_model(z_sigma, sigma)."""

MEANS, STDS = torch.tensor([-1.2, 0.8]).double(), torch.tensor([0.3, 0.5]).double()
POINTS = torch.linspace(-2, 2, 9).double()
GRID = torch.linspace(-5.5, 5.5, 301).double()
DRAWS = 500


def right(z: Tensor, sigma: Tensor) -> Tensor:
    """E[eps - z_0 | z_sigma]: what perfect training gives."""
    keep = (1 - sigma)[..., None]
    variances = keep**2 * STDS**2 + sigma[..., None] ** 2
    away = z[..., None] - keep * MEANS
    share = (-(away**2) / (2 * variances) - variances.log() / 2).softmax(-1)
    clean = (share * (MEANS + keep * STDS**2 / variances * away)).sum(-1)
    return (z - clean) / sigma


def wrong(z: Tensor, sigma: Tensor) -> Tensor:
    """Right where there is no noise: elsewhere the variational bound would be minus infinity."""
    return right(z, sigma) + 1.5 * sigma * torch.sin(2 * z)


@cache
def of_the_process(model: Velocity) -> Tensor:
    """Log p(z_0) at POINTS of the reverse process, by quadrature over many Gaussian steps: [P].

    A step is q(z_s | z_t, z_0) at what the velocity says of z_0; the last one's variance is that of
    z_sigma / (1 - sigma) around z_0.
    """
    sigmas = torch.linspace(0.02, 0.999, 90).double()
    density, step = (-GRID.square() / 2).exp() / math.sqrt(2 * math.pi), GRID[1] - GRID[0]
    for i in reversed(range(len(sigmas))):
        t = sigmas[i]
        clean = GRID - t * model(GRID, t.expand_as(GRID))
        mean, variance, onto = clean, (t / (1 - t)) ** 2, POINTS
        if i:
            s = sigmas[i - 1]
            between = t**2 - ((1 - t) / (1 - s) * s) ** 2
            mean = ((1 - t) / (1 - s) * s**2 * GRID + (1 - s) * between * clean) / t**2
            variance, onto = between * s**2 / t**2, GRID
        kernel = (-(onto[:, None] - mean).square() / (2 * variance)).exp()
        density = (kernel / (2 * math.pi * variance).sqrt() * density).sum(1) * step
    return density.log()


@cache
def of_the_flow(model: Velocity) -> Tensor:
    """Log p(z_0) at POINTS of the flow: the divergence along its path, by Runge-Kutta: [P]."""
    z, total, step = POINTS.clone(), torch.zeros_like(POINTS), 1 / 80

    def slope(z: Tensor, sigma: float) -> tuple[Tensor, Tensor]:
        z = z.clone().requires_grad_()
        v = model(z, torch.full_like(z, max(sigma, 1e-3)))
        (divergence,) = torch.autograd.grad(v.sum(), z)
        return v.detach(), divergence

    for i in range(80):
        first, d1 = slope(z, i * step)
        second, d2 = slope(z + step / 2 * first, (i + 0.5) * step)
        third, d3 = slope(z + step / 2 * second, (i + 0.5) * step)
        fourth, d4 = slope(z + step * third, (i + 1) * step)
        z = z + step / 6 * (first + 2 * second + 2 * third + fourth)
        total = total + step / 6 * (d1 + 2 * d2 + 2 * d3 + d4)
    return -z.square() / 2 - math.log(2 * math.pi) / 2 + total


def term(model: Velocity, **objective: object) -> Tensor:
    """What stands for log p at POINTS, the mean over all eps and many sigma: [P]."""
    spec = Diffusion(id="painter", objective={"preset": "flow_dpo", **objective}).objective  # type: ignore[arg-type]
    assert spec.drawing is not None
    nodes, masses = np.polynomial.hermite_e.hermegauss(40)
    eps, mass = torch.from_numpy(nodes), torch.from_numpy(masses / masses.sum())
    sigmas = torch.tensor(sigmas_of(noise_seeds("a", "b", DRAWS), spec.drawing)).double()
    errors = torch.empty(len(POINTS), DRAWS).double()
    for i, point in enumerate(POINTS):
        z_0 = point.expand(DRAWS * len(eps))[:, None]
        noise = eps.repeat(DRAWS)[:, None]
        sigma = sigmas.repeat_interleave(len(eps))
        z = interpolated(z_0, noise, sigma)[:, 0]
        found = squared_errors(model(z, sigma)[:, None], noise - z_0, spec.reducing)
        errors[i] = (found.view(DRAWS, -1).double() * mass).sum(1)
    weights = flow_weights(sigmas, spec.weighting).repeat(len(POINTS))
    return log_likelihoods(errors.flatten(), weights, spec.multiplier(1000), DRAWS)


VARIATIONAL = {"weight": "ddpm", "reduction": "sum", "sigmas": "uniform", "scale": 2.0}


def gap(of: Callable[[Velocity], Tensor], **objective: object) -> Tensor:
    """Log p of the wrong velocity, by how much it is above the term; 0 for the right one: [P].

    So up to the constants, which no velocity changes, where the right one's bound is tight.
    """
    return of(wrong) - of(right) - (term(wrong, **objective) - term(right, **objective))


def says_bound(**objective: object) -> bool:
    spec = Diffusion(id="painter", objective={"preset": "flow_dpo", **objective})  # type: ignore[arg-type]
    return spec.bound.is_bound


def test_the_variational_weight_bounds_the_process() -> None:
    assert says_bound(**VARIATIONAL)
    found = gap(of_the_process, **VARIATIONAL)
    assert found.min() > -0.02  # of draws, of which there are not infinitely many
    assert found.max() < 0.3  # and closely, so that no smaller scale would bound it


def test_no_weight_bounds_the_flow() -> None:
    """Its velocity's error says nothing of where the flow's density goes: both signs are there."""
    found = gap(of_the_flow, **VARIATIONAL)
    assert found.min() < -0.5
    assert found.max() > 0.5


def test_the_published_term_bounds_neither() -> None:
    """At its own scale, nor at one that is small enough to be like the variational bound."""
    of: Callable[[Velocity], Tensor]
    for of in (of_the_process, of_the_flow):
        for scale in (5000.0, 4.0, 1.0):
            assert not says_bound(scale=scale)
            assert gap(of, scale=scale).min() < -0.1, (of, scale)


def test_times_have_their_distributions() -> None:
    """Quantiles of many, and one in each stratum of a few."""
    seeds = noise_seeds("a", "b", 400)
    which: tuple[Literal["uniform", "logit_normal"], ...] = ("uniform", "logit_normal")
    for drawing in which:
        alone = sorted(sigmas_of([seed], drawing)[0] for seed in seeds)
        strata = sigmas_of(seeds[:8], drawing)
        for sigmas, count, near in ((alone, 400, 0.08), (strata, 8, 1 / 8)):
            for i, sigma in enumerate(sigmas):
                logit = math.log(sigma / (1 - sigma))
                below = sigma if drawing == "uniform" else 0.5 * (1 + math.erf(logit / 2**0.5))
                assert abs(below - (i + 0.5) / count) < near
