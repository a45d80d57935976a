"""A small Stable Diffusion 1.5 of random weights, and pairs of pictures for it.

Its parts take about the shares of the time that they take in the real one at 512 x 512 pixels, on
one core of a CPU: encoding an image takes 1.38 forward passes of the UNet there and 1.3 to 1.55
here (FLOPs, counted with FlopCounterMode: 1.39 and 1.76), encoding a caption 0.02 and 0.03.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    StableDiffusionPipeline,
    UNet2DConditionModel,
)
from PIL import Image
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

PIXELS = 128
_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789.,"
_WIDTH, _TOKENS = 128, 77


def save(folder: Path, *, quick: bool) -> int:
    """Saves the pipeline; its images' pixels a side.

    Args:
        quick: as small as it goes.
    """
    torch.manual_seed(0)
    words = tokenizer()
    pipeline: Any = StableDiffusionPipeline(
        vae=vae(quick),
        text_encoder=CLIPTextModel(text(words)),
        tokenizer=words,
        unet=_unet(quick),
        scheduler=DDIMScheduler(
            beta_start=0.00085,
            beta_end=0.012,
            beta_schedule="scaled_linear",
            clip_sample=False,
            steps_offset=1,
        ),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.save_pretrained(folder)
    return PIXELS // 4 if quick else PIXELS


def pairs(folder: Path, count: int, pixels: int) -> list[dict[str, object]]:
    """Preference pairs of noisy pictures in `folder`, a caption each."""
    rng = np.random.default_rng(0)
    found: list[dict[str, object]] = []
    for i in range(count):
        row: dict[str, object] = {"inputs": {"caption": f"picture {i} of a fox in the snow"}}
        for side in ("chosen", "rejected"):
            path = folder / f"{side}{i}.png"
            blocks = rng.integers(0, 256, (pixels // 8, pixels // 8, 3), dtype=np.uint8)
            Image.fromarray(blocks).resize((pixels, pixels)).save(path)
            row[side] = {"image": str(path)}
        found.append(row)
    return found


def _unet(quick: bool) -> UNet2DConditionModel:
    cross = "CrossAttn{}Block2D"
    return UNet2DConditionModel(
        sample_size=8 if quick else PIXELS // 4,
        cross_attention_dim=_WIDTH,
        block_out_channels=(8, 16, 16) if quick else (64, 128, 256),
        norm_num_groups=2 if quick else 32,
        layers_per_block=1,
        down_block_types=(cross.format("Down"), cross.format("Down"), "DownBlock2D"),
        up_block_types=("UpBlock2D", cross.format("Up"), cross.format("Up")),
        attention_head_dim=2,  # heads, whatever diffusers calls it
    )


def vae(quick: bool, **scaling: float) -> AutoencoderKL:
    """The autoencoder: 4 pixels a latent."""
    return AutoencoderKL(
        block_out_channels=(8, 8, 8) if quick else (64, 80, 96),
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        layers_per_block=2,
        norm_num_groups=8,
        latent_channels=4,
        scaling_factor=0.18215,
        sample_size=PIXELS,
        **scaling,
    )


def text(words: CLIPTokenizer) -> CLIPTextConfig:
    """The text encoder's configuration."""
    return CLIPTextConfig(
        vocab_size=len(words),
        hidden_size=_WIDTH,
        intermediate_size=4 * _WIDTH,
        num_hidden_layers=3,
        num_attention_heads=4,
        max_position_embeddings=_TOKENS,
        bos_token_id=words.bos_token_id,
        eos_token_id=words.eos_token_id,
        pad_token_id=words.pad_token_id,
    )


def tokenizer() -> CLIPTokenizer:
    """One token a letter."""
    pieces = [*_LETTERS, *(f"{letter}</w>" for letter in _LETTERS)]
    special = ["<|startoftext|>", "<|endoftext|>"]
    vocabulary = {piece: i for i, piece in enumerate([*pieces, *special])}
    return CLIPTokenizer(vocab=vocabulary, merges=[], model_max_length=_TOKENS)
