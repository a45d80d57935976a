"""The editor: a small pipeline of InstructPix2Pix's classes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from diffusers import StableDiffusionInstructPix2PixPipeline
from transformers.utils import logging

from ...support.quiet import without_bars
from ..deterministic import deterministic
from .autoencoder import set_scale, trained_autoencoder
from .denoiser import trained_denoiser
from .gallery import make_edits
from .painter_tokenizer import build_tokenizer
from .recipes import EditorRecipe


def build(recipe: EditorRecipe, folder: Path, on_step: Callable[[], None]) -> None:
    """Train the autoencoder, then text encoder and denoiser; write the pipeline."""
    tokenizer = build_tokenizer(recipe.text_length)
    edits = make_edits(recipe.images, recipe.looseness, recipe.seed)
    with deterministic(recipe.seed):
        vae = trained_autoencoder(recipe, edits.gallery.images, on_step)
        latents = set_scale(vae, edits.gallery.images)
        denoiser = trained_denoiser(
            recipe, tokenizer, latents, edits.gallery.captions, on_step, _seen(vae, edits.sources)
        )
    pipeline: Any = StableDiffusionInstructPix2PixPipeline(
        vae=vae,
        text_encoder=denoiser.text_encoder.eval(),
        tokenizer=tokenizer,
        unet=denoiser.unet.eval(),
        scheduler=denoiser.scheduler,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    with without_bars(logging):
        pipeline.save_pretrained(folder)


@torch.no_grad()
def _seen(vae: Any, images: torch.Tensor) -> torch.Tensor:
    """The latents of pictures as the pipeline shows them to its UNet, unscaled."""
    return torch.cat([vae.encode(part).latent_dist.mode() for part in images.split(128)])
