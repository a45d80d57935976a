"""The diffusion term of SysDPO (arXiv 2502.17721, appendix D; Wallace et al. 2023, 2311.12908).

    log p/p_ref (image | caption)  ->  T * ( -l(model) + l(reference) )
    l = w_t * || eps - eps_model(z_t, t, caption) ||^2

over draws (t, eps) that policy and reference share, and the two sides of a pair. Timesteps count
from 0: index t holds a bar of the t+1-th step of Ho et al. 2020.

A rectified flow (Liu et al. 2022, Esser et al. 2024) has a time sigma in place of t, and

    z_sigma = (1 - sigma) z_0 + sigma eps
    l = w_sigma * || (eps - z_0) - v_model(z_sigma, sigma, caption) ||^2
"""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from sysgraph_schemas.models.diffusion_objective import Reduction, Sigmas, Weight

from ..support.seeding import derive, uniforms

_NEAR = 1e-5
"""How near to 0 and 1 the time of a flow may come."""

Prediction = Literal["epsilon", "v_prediction", "sample"]


def noise_seeds(
    key: object, variable: str, count: int, timesteps: Literal["shared", "independent"] = "shared"
) -> tuple[int, ...]:
    """`Request.noise`: the seeds of `count` (t, eps) draws of one image, 63 bits each.

    The upper 31 bits of a seed give the timestep, all of them the noise. Images of one pair have
    noises of their own and, `shared`, one timestep.

    Args:
        key: what both sides of a pair have in common: the run's seed, the pair, the visit.
        variable: the image's variable in the program.
        count: the model's `objective.draws`.
        timesteps: the model's `objective.timesteps`.
    """
    whose = (key,) if timesteps == "shared" else (key, variable)
    return tuple(
        derive("timestep", *whose, i) >> 32 << 32 | derive("noise", key, variable, i) & 0xFFFFFFFF
        for i in range(count)
    )


def timesteps_of(seeds: Sequence[int], train_timesteps: int) -> list[int]:
    """The timestep of each draw of one image: draw i of n lies in the i-th n-th of [0, T)."""
    n, u = len(seeds), uniforms([seed >> 32 for seed in seeds], 1)[:, 0].tolist()
    return [int((i + u[i]) * train_timesteps / n) for i in range(n)]


def sigmas_of(seeds: Sequence[int], sigmas: Sigmas) -> list[float]:
    """The time of each draw of one image: draw i of n lies in the i-th n-th of their distribution.

    Args:
        seeds: the draws'.
        sigmas: `uniform` on (0, 1), or `logit_normal`: the sigmoid of a standard normal number
            (Esser et al. 2024, section 3.1).
    """
    u = uniforms([seed >> 32 for seed in seeds], 1)[:, 0].double()
    strata = torch.arange(len(seeds)).double()
    u = ((strata + u) / len(seeds)).clamp(_NEAR, 1 - _NEAR)  # sigma 0 and 1 have no finite weight
    if sigmas == "logit_normal":
        u = torch.special.ndtri(u).sigmoid()
    return [float(sigma) for sigma in u]


def interpolated(latents: Tensor, noise: Tensor, sigma: Tensor) -> Tensor:
    """z_sigma = (1 - sigma) z_0 + sigma eps: [B, ...]. Arguments as `noised` has them."""
    sigma = _like(sigma, latents)
    return (1 - sigma) * latents + sigma * noise


def flow_weights(sigma: Tensor, weight: Weight) -> Tensor:
    """w_sigma by which the error of the velocity counts: [B], float32.

    `ddpm` is the weight of the variational bound: 1 / 2 by log-SNR on the noise (Kingma and Gao
    2023, eq. 9). By sigma it is 1 / (sigma (1 - sigma)), as log-SNR = 2 log((1 - sigma) / sigma);
    and as eps = z_sigma + (1 - sigma) v, the noise's error is (1 - sigma)^2 of the velocity's.
    """
    return torch.ones_like(sigma) if weight == "constant" else (1 - sigma) / sigma


def noised(latents: Tensor, noise: Tensor, alpha_bar: Tensor) -> Tensor:
    """z_t = sqrt(a bar) z_0 + sqrt(1 - a bar) eps (Ho et al. 2020, eq. 4): [B, ...].

    Args:
        latents: [B, ...] z_0.
        noise: [B, ...] eps.
        alpha_bar: [B] a bar of each row's timestep.
    """
    alpha_bar = _like(alpha_bar, latents)
    return alpha_bar.sqrt() * latents + (1 - alpha_bar).sqrt() * noise


def target(latents: Tensor, noise: Tensor, alpha_bar: Tensor, prediction: Prediction) -> Tensor:
    """What the model should predict: [B, ...]. Arguments as `noised` has them.

    The velocity is sqrt(a bar) eps - sqrt(1 - a bar) z_0 (Salimans & Ho 2022, appendix D).
    """
    if prediction == "epsilon":
        return noise
    if prediction == "sample":
        return latents
    alpha_bar = _like(alpha_bar, latents)
    return alpha_bar.sqrt() * noise - (1 - alpha_bar).sqrt() * latents


def squared_errors(predicted: Tensor, wanted: Tensor, reduction: Reduction) -> Tensor:
    """|| wanted - predicted ||^2 of each row, or its mean over a row's numbers: [B], float32."""
    errors = (wanted.float() - predicted.float()).square().flatten(1)
    return errors.mean(1) if reduction == "mean" else errors.sum(1)


def error_weights(alpha_bars: Tensor, weight: Weight, prediction: Prediction) -> Tensor:
    """w_t by which the error of what the model predicts counts: [T], float32.

    `ddpm` is the weight of the variational bound on the noise, for the reverse variance
    sigma_t^2 = beta_t (Ho et al. 2020, eq. 12: beta_t^2 / (2 sigma_t^2 a_t (1 - a bar_t))), carried
    over to the velocity and the sample, whose errors are multiples of the noise's at equal z_t.

    Args:
        alpha_bars: [T] a bar by timestep.
        weight: `constant` or `ddpm`.
        prediction: what the model predicts.
    """
    if weight == "constant":
        return torch.ones(len(alpha_bars))
    now = alpha_bars.double()
    before = torch.cat([now.new_ones(1), now[:-1]])
    beta = 1 - now / before
    on_noise_over_alpha_bar = beta * before / (2 * (1 - now))  # times 1 / a bar_t it is eq. 12
    to_noise = {"epsilon": 1 / now, "v_prediction": torch.ones_like(now), "sample": 1 / (1 - now)}
    return (on_noise_over_alpha_bar * to_noise[prediction]).float()


def log_likelihoods(errors: Tensor, weights: Tensor, multiplier: float, draws: int) -> Tensor:
    """-multiplier * mean over draws of w_t * error: [N], nats, float32, up to constants.

    Args:
        errors: [N * draws], an image's draws side by side; see `squared_errors`.
        weights: [N * draws] the weights of their timesteps.
        multiplier: nats that an error of 1 costs.
        draws: (t, eps) draws of each image.
    """
    return -multiplier * (weights * errors).view(-1, draws).mean(1)


def _like(rows: Tensor, other: Tensor) -> Tensor:
    """[B] as [B, 1, ...], in the type and on the device of `other`."""
    return rows.to(other).view(-1, *[1] * (other.dim() - 1))
