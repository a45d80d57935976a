"""The painter's text encoder and denoiser, trained together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from diffusers import DDIMScheduler, UNet2DConditionModel
from torch.nn.functional import mse_loss
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from ..optimization import OneCycle
from .recipes import PainterRecipe


class Denoiser(NamedTuple):
    """What turns noise and a caption into a latent."""

    text_encoder: CLIPTextModel
    unet: Any  # UNet2DConditionModel
    scheduler: Any  # DDIMScheduler


def trained_denoiser(
    recipe: PainterRecipe,
    tokenizer: CLIPTokenizer,
    latents: torch.Tensor,
    captions: tuple[str, ...],
    on_step: Callable[[], None],
    seen: torch.Tensor | None = None,
) -> Denoiser:
    """Learns to predict the noise in latents [N, C, H, W] (Ho et al. 2020, equation 14).

    A share of captions is dropped, for classifier-free guidance. `on_step` is called
    `recipe.unet_steps` times.

    Args:
        seen: [N, C, H, W] what else it sees beside each of them, which is dropped as often
            (Brooks et al. 2022, section 3.2.1).
    """
    text_encoder = _text_encoder(recipe, tokenizer)
    unet = _unet(recipe, latents.shape[-1], 1 if seen is None else 2)
    scheduler = _scheduler()
    tokens = tokenizer(["", *captions], padding="max_length", return_tensors="pt").input_ids
    empty, stated = tokens[:1], tokens[1:]
    parameters = [*text_encoder.parameters(), *unet.parameters()]
    optimizer = OneCycle(parameters, recipe.unet_learning_rate, recipe.unet_steps)
    size = recipe.unet_batch
    for _ in range(recipe.unet_steps):
        rows = torch.randint(len(latents), (size,))
        dropped = torch.rand(size, 1) < recipe.caption_dropout
        states = text_encoder(torch.where(dropped, empty, stated[rows])).last_hidden_state
        noise = torch.randn(size, *latents.shape[1:])
        timesteps = torch.randint(scheduler.config.num_train_timesteps, (size,))
        noisy = scheduler.add_noise(latents[rows], noise, timesteps)
        if seen is not None:
            kept = torch.rand(size, 1, 1, 1) >= recipe.caption_dropout
            noisy = torch.cat([noisy, seen[rows] * kept], dim=1)
        optimizer.step(mse_loss(unet(noisy, timesteps, states).sample, noise))
        on_step()
    return Denoiser(text_encoder, unet, scheduler)


def _text_encoder(recipe: PainterRecipe, tokenizer: CLIPTokenizer) -> CLIPTextModel:
    config = CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=recipe.text_width,
        intermediate_size=2 * recipe.text_width,
        projection_dim=recipe.text_width,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=recipe.text_length,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return CLIPTextModel(config)


def _unet(recipe: PainterRecipe, size: int, images: int) -> Any:
    return UNet2DConditionModel(
        sample_size=size,
        in_channels=recipe.latent_channels * images,
        out_channels=recipe.latent_channels,
        block_out_channels=recipe.unet_channels,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        layers_per_block=1,
        norm_num_groups=recipe.groups,
        cross_attention_dim=recipe.text_width,
        attention_head_dim=4,
    )


def _scheduler() -> Any:
    """Stable Diffusion's."""
    return DDIMScheduler(
        num_train_timesteps=1000,
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        clip_sample=False,
        set_alpha_to_one=False,
        steps_offset=1,
    )
