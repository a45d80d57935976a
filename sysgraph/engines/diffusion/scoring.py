"""The denoising errors of images under a UNet."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from sysgraph_schemas.models.diffusion_objective import Reduction

from ...objectives.diffusion import noised, squared_errors, target, timesteps_of
from ...support.device import moved
from ...traces.pictures import Picture
from .noise import normals
from .resident import Resident


class NoisedImage(NamedTuple):
    """One (t, eps) draw of an image and its caption."""

    caption: str
    picture: Picture
    timestep: int
    seed: int


def rows_of(caption: str, picture: Picture, noise: Sequence[int], steps: int) -> list[NoisedImage]:
    """The draws of one image: `noise` has a seed each, `steps` is T."""
    timesteps = timesteps_of(noise, steps)
    return [
        NoisedImage(caption, picture, t, seed) for t, seed in zip(timesteps, noise, strict=True)
    ]


def errors(
    module: nn.Module, resident: Resident, rows: Sequence[NoisedImage], reduction: Reduction
) -> Tensor:
    """The squared error of what `module` predicts for each row: [B], float32.

    Without classifier-free guidance: that is a way of sampling, and no likelihood has it.

    Args:
        module: the UNet to run.
        resident: its pipeline.
        rows: at least one; all images have one size.
        reduction: over an image's numbers.
    """
    latents = resident.latents([row.picture for row in rows])  # (B, C, H, W), CPU
    noise = normals([row.seed for row in rows], latents.shape[1:])
    steps = torch.tensor([row.timestep for row in rows])
    alpha_bar = resident.schedule.alpha_bars[steps]
    wanted = target(latents, noise, alpha_bar, resident.schedule.prediction)
    captions = [row.caption for row in rows]
    predicted = _predicted(module, resident, noised(latents, noise, alpha_bar), steps, captions)
    return squared_errors(predicted, moved(wanted, resident.device), reduction)


def blank_error(module: nn.Module, *, resident: Resident, height: int, width: int) -> Tensor:
    """The work of one row, without an image: [1]."""
    latents = torch.zeros(1, *resident.autoencoder.shape(width, height))
    predicted = _predicted(module, resident, latents, torch.zeros(1, dtype=torch.long), [""])
    return squared_errors(predicted, torch.zeros_like(predicted), "mean")


def _predicted(
    module: nn.Module, resident: Resident, latents: Tensor, steps: Tensor, captions: Sequence[str]
) -> Tensor:
    """What `module` predicts for noised latents at `steps`: [B, C, H, W]."""
    condition = resident.text.encode(captions)
    factor = resident.autoencoder.factor
    height, width = latents.shape[2] * factor, latents.shape[3] * factor
    predicted: Tensor = module(
        moved(latents, resident.device).to(condition.embeds),
        moved(steps, resident.device),
        encoder_hidden_states=condition.embeds,
        added_cond_kwargs=condition.added(height, width),
    ).sample
    return predicted
