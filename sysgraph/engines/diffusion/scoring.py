"""The denoising errors of images under a UNet or a transformer."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from sysgraph_schemas.models.diffusion_objective import Reduction

from ...objectives.diffusion import squared_errors
from ...support.device import moved
from ...traces.pictures import Picture
from .noise import normals
from .prompts import Prompt
from .resident import Resident


class NoisedImage(NamedTuple):
    """One (level, eps) draw of an image and its prompt."""

    prompt: Prompt
    picture: Picture
    level: float
    """A timestep, or the sigma of a flow."""
    seed: int
    """Of eps, unless `is_drawn`."""
    guidance: float | None = None
    """What a distilled denoiser is told."""
    is_drawn: bool = False
    """eps is what the picture was drawn from, if it knows."""


def errors(
    module: nn.Module, resident: Resident, rows: Sequence[NoisedImage], reduction: Reduction
) -> Tensor:
    """The squared error of what `module` predicts for each row: [B], float32.

    Without classifier-free guidance: that is a way of sampling, and no likelihood has it.

    Args:
        module: the denoiser to run.
        resident: its pipeline.
        rows: at least one; all images have one size, and all rows one guidance.
        reduction: over an image's numbers.
    """
    process, levels = resident.process, [row.level for row in rows]
    latents = resident.latents([row.picture for row in rows])  # (B, C, ..., H, W), CPU
    noised, wanted = process.noised(latents, _noise(resident, rows, latents.shape[1:]), levels)
    width, height = rows[0].picture.size
    predicted = process.predicted(
        module,
        noised,
        levels,
        [row.prompt for row in rows],
        size=(height, width),
        guidance=rows[0].guidance,
    )
    return squared_errors(predicted, moved(wanted, resident.device), reduction)


def _noise(resident: Resident, rows: Sequence[NoisedImage], shape: Sequence[int]) -> Tensor:
    """Eps of each row: [B, *shape], float32, CPU."""
    noise = normals([row.seed for row in rows], shape)
    for i, row in enumerate(rows):
        seed = row.picture.seed if row.is_drawn else None
        if seed is not None:
            width, height = row.picture.size
            noise[i] = resident.process.noise_of(seed, shape, (height, width))
    return noise


def blank_error(
    module: nn.Module,
    *,
    resident: Resident,
    height: int,
    width: int,
    guidance: float | None = None,
) -> Tensor:
    """The work of one row, without an image: [1]."""
    latents = torch.zeros(1, *resident.process.autoencoder.shape(width, height))
    predicted = resident.process.predicted(
        module, latents, [0.0], [resident.process.blank], size=(height, width), guidance=guidance
    )
    return squared_errors(predicted, torch.zeros_like(predicted), "mean")
