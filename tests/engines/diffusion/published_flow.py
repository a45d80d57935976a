"""Flow-DPO's loss of one pair, written from its formula for each class of pipelines.

    L = -log sigmoid( -beta / 2 [ (|v_model - v|^2 - |v_ref - v|^2)_w - (...)_l ] )

with v = eps - x_0, x = (1 - sigma) x_0 + sigma eps, means over numbers, one sigma and eps a pair
(Liu et al. 2025, arXiv 2501.13918, with constant beta). What the transformers take is as diffusers'
training examples for these classes have it.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sysgraph.traces.pictures import Picture

HEIGHT, WIDTH = 16, 8


def flow_dpo(
    pipeline: Any,
    policy: nn.Module,
    captions: Sequence[str],
    pair: Sequence[Picture],
    *,
    sigma: float,
    noise: Tensor,
    beta: float,
    guidance: float = 3.5,
) -> Tensor:
    """The loss of chosen and rejected image under their captions, [].

    Args:
        pipeline: before training, as diffusers loads it.
        policy: its transformer after some.
        captions: chosen's and rejected's.
        pair: chosen and rejected image.
        sigma: the pair's time.
        noise: [C, H, W], the pair's eps.
        beta: Flow-DPO's.
        guidance: what FLUX.1 dev is told.
    """
    errors = []
    for module in (policy, pipeline.transformer):
        for caption, picture in zip(captions, pair, strict=True):
            clean = _latents(pipeline, picture)
            x = (1 - sigma) * clean + sigma * noise
            with torch.set_grad_enabled(module is policy):
                found = velocity(pipeline, module, x, sigma, caption, guidance)
            errors.append((found - (noise - clean)).pow(2).mean())
    inside = (errors[0] - errors[2]) - (errors[1] - errors[3])
    return -F.logsigmoid(-beta / 2 * inside)


def velocity(
    pipeline: Any, module: nn.Module, x: Tensor, sigma: float, caption: str, guidance: float = 3.5
) -> Tensor:
    """What a pipeline's transformer predicts of noised latents [C, H, W]."""
    kind = type(pipeline).__name__
    return _VELOCITIES[kind](pipeline, module, x[None], sigma, caption, guidance)[0]


@torch.no_grad()
def _latents(pipeline: Any, picture: Picture) -> Tensor:
    """[C, H, W] of an image, normalized."""
    pixels = torch.from_numpy(np.array(picture.open())).permute(2, 0, 1)[None] / 127.5 - 1
    config = pipeline.vae.config
    if "latents_mean" in config and config.latents_mean and len(config.latents_mean) == 4:
        raw = pipeline.vae.encode(pixels[:, :, None]).latent_dist.mode()[0, :, 0]
        mean, std = (
            torch.tensor(x)[:, None, None] for x in (config.latents_mean, config.latents_std)
        )
        return (raw - mean) / std  # type: ignore[no-any-return]
    raw = pipeline.vae.encode(pixels).latent_dist.mode()[0]
    return (raw - config.shift_factor) * config.scaling_factor  # type: ignore[no-any-return]


def _sd3(p: Any, module: Any, x: Tensor, sigma: float, caption: str, guidance: float) -> Tensor:
    with torch.no_grad():
        embeds, _, pooled, _ = p.encode_prompt(
            caption, None, None, do_classifier_free_guidance=False
        )
    return module(
        hidden_states=x,
        timestep=torch.tensor([1000 * sigma]),
        encoder_hidden_states=embeds,
        pooled_projections=pooled,
    ).sample  # type: ignore[no-any-return]


def _packed(x: Tensor) -> Tensor:
    """2 x 2 patches as tokens: [1, C, H, W] -> [1, H / 2 * W / 2, 4 C]."""
    b, c, h, w = x.shape
    return x.view(b, c, h // 2, 2, w // 2, 2).permute(0, 2, 4, 1, 3, 5).reshape(b, -1, 4 * c)


def _unpacked(tokens: Tensor, like: Tensor) -> Tensor:
    b, c, h, w = like.shape
    x = tokens.view(b, h // 2, w // 2, c, 2, 2).permute(0, 3, 1, 4, 2, 5)
    return x.reshape(b, c, h, w)


def _flux(p: Any, module: Any, x: Tensor, sigma: float, caption: str, guidance: float) -> Tensor:
    with torch.no_grad():
        embeds, pooled, text_ids = p.encode_prompt(caption, None)
    ids = p._prepare_latent_image_ids(1, x.shape[2] // 2, x.shape[3] // 2, x.device, x.dtype)
    tokens = module(
        hidden_states=_packed(x),
        timestep=torch.tensor([sigma]),
        guidance=torch.tensor([guidance]),
        pooled_projections=pooled,
        encoder_hidden_states=embeds,
        txt_ids=text_ids,
        img_ids=ids,
    ).sample
    return _unpacked(tokens, x)


def _qwen(p: Any, module: Any, x: Tensor, sigma: float, caption: str, guidance: float) -> Tensor:
    with torch.no_grad():
        embeds, mask = p.encode_prompt(caption)
    tokens = module(
        hidden_states=_packed(x),
        timestep=torch.tensor([sigma]),
        encoder_hidden_states=embeds,
        encoder_hidden_states_mask=mask,
        img_shapes=[[(1, x.shape[2] // 2, x.shape[3] // 2)]],
    ).sample
    return _unpacked(tokens, x)


def _zimage(p: Any, module: Any, x: Tensor, sigma: float, caption: str, guidance: float) -> Tensor:
    """Time and velocity run the other way round: from noise at 0 to the image at 1."""
    with torch.no_grad():
        embeds, _ = p.encode_prompt(caption, do_classifier_free_guidance=False)
    (found,) = module([x[0][:, None]], torch.tensor([1 - sigma]), embeds, return_dict=False)[0]
    return -found[:, 0][None]  # type: ignore[no-any-return]


_VELOCITIES = {
    "StableDiffusion3Pipeline": _sd3,
    "FluxPipeline": _flux,
    "QwenImagePipeline": _qwen,
    "ZImagePipeline": _zimage,
}
