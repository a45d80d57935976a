"""Sampling images: the pipeline's own loop, with a generator a row, so that no batch shows."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from sysgraph_schemas import Diffusion

from ...support.errors import RunError
from ...support.quiet_diffusers import quiet
from ...traces.pictures import Picture
from .pipelines import bare
from .resident import Resident
from .schedule import sampler


@torch.no_grad()
def generate(
    module: nn.Module,
    resident: Resident,
    captions: Sequence[str],
    seeds: Sequence[int],
    *,
    spec: Diffusion,
    size: tuple[int, int],
) -> list[Picture]:
    """One image for each caption, with the latents that it was decoded from.

    Args:
        module: the UNet to run.
        resident: its pipeline.
        captions: at least one.
        seeds: all randomness of each row.
        spec: steps, guidance and scheduler.
        size: height and width in pixels.

    Raises:
        RunError: the model drew something that is not finite.
    """
    latents = _latents(module, resident, captions, seeds, spec, size)
    if not latents.isfinite().all():
        raise RunError(
            f"model id {spec.id!r} drew latents that are not finite in {resident.checkpoint.dtype}"
            ": try `dtype: float32` or `bfloat16`, or a lower learning rate if it was trained"
        )
    images = resident.autoencoder.decode(latents)
    name = resident.autoencoder.name
    return [Picture.drawn(i, z, name) for i, z in zip(images, latents, strict=True)]


def _latents(
    module: nn.Module,
    resident: Resident,
    captions: Sequence[str],
    seeds: Sequence[int],
    spec: Diffusion,
    size: tuple[int, int],
) -> Tensor:
    """[B, C, H, W]."""
    wanted, unguided = resident.text.encode(captions), resident.text.unguided(len(captions))
    conditions: dict[str, Any] = {"prompt_embeds": wanted.embeds}
    if spec.guidance_scale > 1:
        conditions["negative_prompt_embeds"] = unguided.embeds
    if wanted.pooled is not None:
        conditions["pooled_prompt_embeds"] = wanted.pooled
        if spec.guidance_scale > 1:
            conditions["negative_pooled_prompt_embeds"] = unguided.pooled
    with quiet():
        pipeline = bare(resident.pipeline, unet=module, scheduler=sampler(spec, resident.pipeline))
        pipeline.set_progress_bar_config(disable=True)
        out: Tensor = pipeline(
            **conditions,
            height=size[0],
            width=size[1],
            num_inference_steps=spec.inference_steps,
            guidance_scale=spec.guidance_scale,
            generator=[torch.Generator().manual_seed(seed) for seed in seeds],
            output_type="latent",
        ).images
    return out
