"""The losses of one pair of edits, written from their formulas for each class of pipelines.

    L = -log sigmoid( -beta / 2 [ (|model - target|^2 - |ref - target|^2)_w - (...)_l ] )

For InstructPix2Pix that of Diffusion-DPO (Wallace et al. 2023, arXiv 2311.12908, the noise is the
target), for flows that of Flow-DPO (Liu et al. 2025, arXiv 2501.13918, eps - x_0 is). What the
denoisers take is as diffusers' training examples for these classes have it: the latents of the
picture to be edited beside the noised ones, in further channels or in further tokens.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from diffusers import DDPMScheduler
from PIL import Image
from torch import Tensor, nn

from sysgraph.traces.pictures import Picture

from .published_flow import HEIGHT, WIDTH, _latents, _packed, _unpacked

AREA = 64 * 64
"""Pixels that flows bring pictures to, under `small_area`."""


class Edit(NamedTuple):
    """A side of a pair: what was asked, of which pictures, and what was drawn."""

    instruction: str
    sources: Sequence[Picture]
    image: Picture


def edit_dpo(
    pipeline: Any,
    policy: nn.Module,
    pair: Sequence[Edit],
    *,
    level: float,
    noise: Tensor,
    beta: float,
) -> Tensor:
    """The loss of chosen and rejected edit, [].

    Args:
        pipeline: before training, as diffusers loads it.
        policy: its denoiser after some.
        pair: chosen and rejected.
        level: the pair's timestep, or sigma.
        noise: [C, H, W], the pair's eps.
        beta: of either paper.
    """
    reference = pipeline.unet if hasattr(pipeline, "unet") else pipeline.transformer
    errors = []
    for module in (policy, reference):
        for edit in pair:
            x, target = _noised(pipeline, edit.image, level, noise)
            predict = _PREDICTED[type(pipeline).__name__]
            with torch.set_grad_enabled(module is policy):
                found = predict(pipeline, module, x[None], level, edit)[0]
            errors.append((found - target).pow(2).mean())
    inside = (errors[0] - errors[2]) - (errors[1] - errors[3])
    return -F.logsigmoid(-beta / 2 * inside)


def _noised(p: Any, image: Picture, level: float, noise: Tensor) -> tuple[Tensor, Tensor]:
    if hasattr(p, "unet"):
        with torch.no_grad():
            clean = _mode(p, _pixels(image.open())) * p.vae.config.scaling_factor
        scheduler = DDPMScheduler.from_config(p.scheduler.config)
        step = torch.tensor([int(level)])
        return scheduler.add_noise(clean, noise[None], step)[0], noise
    clean = _latents(p, image)
    return (1 - level) * clean + level * noise, noise - clean


def _pixels(image: Image.Image) -> Tensor:
    data = torch.frombuffer(bytearray(image.tobytes()), dtype=torch.uint8)
    return data.view(image.height, image.width, 3).permute(2, 0, 1)[None] / 127.5 - 1


def _mode(p: Any, pixels: Tensor) -> Tensor:
    return p.vae.encode(pixels).latent_dist.mode()  # type: ignore[no-any-return]


def _pix2pix(p: Any, module: Any, x: Tensor, step: float, edit: Edit) -> Tensor:
    """The picture's latents are not scaled."""
    words = p.tokenizer(
        edit.instruction, padding="max_length", truncation=True, max_length=12, return_tensors="pt"
    )
    with torch.no_grad():
        embeds = p.text_encoder(words.input_ids)[0]
        small = edit.sources[0].open().resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS)
        seen = _mode(p, _pixels(small))
    both = torch.cat([x, seen], dim=1)
    found: Tensor = module(both, torch.tensor([int(step)]), encoder_hidden_states=embeds).sample
    return found


def _sized(picture: Picture, unit: int = 32) -> Image.Image:
    """About as many pixels as `AREA` in the picture's shape."""
    image = picture.open()
    ratio = image.width / image.height
    width = (AREA * ratio) ** 0.5
    shape = round(width / unit) * unit, round(width / ratio / unit) * unit
    return image.resize(shape, Image.Resampling.LANCZOS)


@torch.no_grad()
def _kontext_source(p: Any, edit: Edit) -> Tensor:
    config = p.vae.config
    raw = _mode(p, _pixels(_sized(edit.sources[0])))
    return (raw - config.shift_factor) * config.scaling_factor


def _kontext(p: Any, module: Any, x: Tensor, sigma: float, edit: Edit) -> Tensor:
    """The picture's tokens are told from the image's by the first of their three positions."""
    seen = _kontext_source(p, edit)
    with torch.no_grad():
        embeds, pooled, text_ids = p.encode_prompt(edit.instruction, None)
    places = []
    for which, latents in enumerate((x, seen)):
        rows, columns = latents.shape[2] // 2, latents.shape[3] // 2
        grid = torch.cartesian_prod(torch.arange(rows), torch.arange(columns)).float()
        places.append(torch.cat([torch.full((len(grid), 1), float(which)), grid], dim=1))
    tokens = torch.cat([_packed(x), _packed(seen)], dim=1)
    found = module(
        hidden_states=tokens,
        timestep=torch.tensor([sigma]),
        guidance=torch.tensor([3.5]),
        pooled_projections=pooled,
        encoder_hidden_states=embeds,
        txt_ids=text_ids,
        img_ids=torch.cat(places),
    ).sample
    return _unpacked(found[:, : _packed(x).shape[1]], x)


def _qwen(p: Any, module: Any, x: Tensor, sigma: float, edit: Edit) -> Tensor:
    """The text encoder reads the pictures, and the transformer sees their tokens."""
    config = p.vae.config
    images = [_sized(source) for source in edit.sources]
    mean, std = (
        torch.tensor(n).view(1, -1, 1, 1) for n in (config.latents_mean, config.latents_std)
    )
    several = images if type(p).__name__.endswith("PlusPipeline") else images[0]
    with torch.no_grad():
        embeds, mask = p.encode_prompt([edit.instruction], image=several)
        seen = [(_mode(p, _pixels(image)[:, :, None])[:, :, 0] - mean) / std for image in images]
    found = module(
        hidden_states=torch.cat([_packed(part) for part in (x, *seen)], dim=1),
        timestep=torch.tensor([sigma]),
        encoder_hidden_states=embeds,
        encoder_hidden_states_mask=mask,
        img_shapes=[[(1, z.shape[2] // 2, z.shape[3] // 2) for z in (x, *seen)]],
    ).sample
    return _unpacked(found[:, : _packed(x).shape[1]], x)


_PREDICTED: dict[str, Callable[..., Tensor]] = {
    "StableDiffusionInstructPix2PixPipeline": _pix2pix,
    "FluxKontextPipeline": _kontext,
    "QwenImageEditPipeline": _qwen,
    "QwenImageEditPlusPipeline": _qwen,
}
