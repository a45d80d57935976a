"""The painter: a small text-to-image pipeline of the classes that Stable Diffusion has."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from diffusers import StableDiffusionPipeline
from transformers.utils import logging

from ...support.quiet import without_bars
from ..deterministic import deterministic
from .autoencoder import set_scale, trained_autoencoder
from .denoiser import trained_denoiser
from .gallery import make_gallery
from .painter_tokenizer import build_tokenizer
from .recipes import PainterRecipe


def build(recipe: PainterRecipe, folder: Path, on_step: Callable[[], None]) -> None:
    """Train the autoencoder, then text encoder and denoiser; write the pipeline."""
    tokenizer = build_tokenizer(recipe.text_length)
    gallery = make_gallery(recipe.images, recipe.looseness, recipe.seed)
    with deterministic(recipe.seed):
        vae = trained_autoencoder(recipe, gallery.images, on_step)
        latents = set_scale(vae, gallery.images)
        denoiser = trained_denoiser(recipe, tokenizer, latents, gallery.captions, on_step)
    pipeline: Any = StableDiffusionPipeline(
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
