"""Sampling images: the pipeline's own loop, with a generator a row, so that no batch shows."""

from collections.abc import Sequence

import torch
from torch import nn

from sysgraph_schemas import Diffusion

from ...support.errors import RunError
from ...traces.pictures import Picture
from .process import Size
from .prompts import Prompt
from .resident import Resident


@torch.no_grad()
def generate(
    module: nn.Module,
    resident: Resident,
    prompts: Sequence[Prompt],
    seeds: Sequence[int],
    *,
    spec: Diffusion,
    size: Size,
) -> list[Picture]:
    """One image for each prompt, with the latents that it was decoded from.

    Args:
        module: the denoiser to run.
        resident: its pipeline.
        prompts: at least one.
        seeds: all randomness of each row.
        spec: steps, guidance and scheduler.
        size: height and width in pixels.

    Raises:
        RunError: the model drew something that is not finite.
    """
    latents = resident.process.drawn(module, prompts, seeds, spec=spec, size=size)
    if not latents.isfinite().all():
        raise RunError(
            f"model id {spec.id!r} drew latents that are not finite in {resident.checkpoint.dtype}"
            ": try `dtype: float32` or `bfloat16`, or a lower learning rate if it was trained"
        )
    images = resident.autoencoder.decode(latents)
    name = resident.autoencoder.name
    rows = zip(images, latents, seeds, strict=True)
    return [Picture.drawn(image, z, name, seed=seed) for image, z, seed in rows]
