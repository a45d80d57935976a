"""A small Stable Diffusion 3 of random weights, with the VAE and the CLIPs of `tiny_painter`.

It is sized as that: encoding an image takes about as long as 1.5 forward passes of the transformer,
which it does in no large model: there the transformer weighs more, and less can be saved.
"""

from pathlib import Path
from typing import Any

import torch
from diffusers import (
    FlowMatchEulerDiscreteScheduler,
    SD3Transformer2DModel,
    StableDiffusion3Pipeline,
)
from transformers import CLIPTextConfig, CLIPTextModelWithProjection

from . import tiny_painter

_WIDTH = 128


def save(folder: Path, *, quick: bool) -> int:
    """Saves the pipeline, which has no T5; its images' pixels a side.

    Args:
        quick: as small as it goes.
    """
    torch.manual_seed(0)
    words = tiny_painter.tokenizer()
    text = CLIPTextConfig(**{**tiny_painter.text(words).to_dict(), "projection_dim": _WIDTH})
    pixels = tiny_painter.PIXELS // 4 if quick else tiny_painter.PIXELS
    heads = 2 if quick else 4
    pipeline: Any = StableDiffusion3Pipeline(
        transformer=SD3Transformer2DModel(
            sample_size=pixels // 4,
            patch_size=2,
            in_channels=4,
            out_channels=4,
            num_layers=1 if quick else 4,
            attention_head_dim=64,
            num_attention_heads=heads,
            joint_attention_dim=2 * _WIDTH,
            caption_projection_dim=64 * heads,
            pooled_projection_dim=2 * _WIDTH,
            pos_embed_max_size=pixels // 8,
        ),
        scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0),
        vae=tiny_painter.vae(quick, shift_factor=0.0609),
        text_encoder=CLIPTextModelWithProjection(text),
        tokenizer=words,
        text_encoder_2=CLIPTextModelWithProjection(text),
        tokenizer_2=words,
        text_encoder_3=None,
        tokenizer_3=None,
    )
    pipeline.save_pretrained(folder)
    return pixels
