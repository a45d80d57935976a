"""Pipelines of random weights in classes that edit pictures, as small as they go.

Those that flow bring each picture to a megapixel; `small_area` has them bring it to less.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from diffusers import (
    AutoencoderKLQwenImage,
    FlowMatchEulerDiscreteScheduler,
    FluxKontextPipeline,
    FluxTransformer2DModel,
    PNDMScheduler,
    QwenImageEditPipeline,
    QwenImageEditPlusPipeline,
    QwenImageTransformer2DModel,
    StableDiffusionInstructPix2PixPipeline,
)
from diffusers.pipelines.flux import pipeline_flux_kontext
from diffusers.pipelines.qwenimage import pipeline_qwenimage_edit, pipeline_qwenimage_edit_plus
from transformers import (
    CLIPTextModel,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
)

from .flow_folders import SHIFTED, _t5, pieces, words
from .flow_folders import _vae as _flow_vae
from .folders import SCHEDULE, _text_config, _unet, _vae, tokenizer

_library: Any = transformers
BETA = 60.0
"""The scale of an editor's objective."""


def small_area(patch: pytest.MonkeyPatch) -> None:
    """Pictures are brought to about 64 x 64 pixels, by diffusers' own calls too."""
    shapes = [(64, 96), (64, 64), (96, 64)]  # width, height
    patch.setattr(pipeline_flux_kontext, "PREFERRED_KONTEXT_RESOLUTIONS", shapes)
    whole = pipeline_qwenimage_edit.calculate_dimensions
    patch.setattr(
        pipeline_qwenimage_edit, "calculate_dimensions", lambda _, ratio: whole(64**2, ratio)
    )
    patch.setattr(pipeline_qwenimage_edit_plus, "VAE_IMAGE_SIZE", 64**2)
    patch.setattr(pipeline_qwenimage_edit_plus, "CONDITION_IMAGE_SIZE", 64**2)


def save_pix2pix(folder: Path, **unet: Any) -> Path:
    """InstructPix2Pix's classes: Stable Diffusion's, with twice as many channels of latents."""
    clip = tokenizer()
    torch.manual_seed(11)
    StableDiffusionInstructPix2PixPipeline(
        vae=_vae(0.18215),
        text_encoder=CLIPTextModel(_text_config(clip, 16)),
        tokenizer=clip,
        unet=_unet(**{"in_channels": 8, **unet}),
        scheduler=PNDMScheduler(**SCHEDULE, skip_prk_steps=True, steps_offset=1),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    ).save_pretrained(folder)
    return folder


def save_kontext(folder: Path) -> Path:
    """FLUX.1 Kontext's classes: the picture's tokens behind the image's."""
    clip, tokens = tokenizer(), pieces()
    torch.manual_seed(12)
    FluxKontextPipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(**SHIFTED),
        vae=_flow_vae(scaling_factor=0.3611, shift_factor=0.1159),
        text_encoder=CLIPTextModel(_text_config(clip, 16)),
        tokenizer=clip,
        text_encoder_2=_t5(tokens),
        tokenizer_2=tokens,
        transformer=FluxTransformer2DModel(
            patch_size=1,
            in_channels=16,
            num_layers=1,
            num_single_layers=1,
            attention_head_dim=8,
            num_attention_heads=2,
            joint_attention_dim=32,
            pooled_projection_dim=16,
            guidance_embeds=True,
            axes_dims_rope=(2, 2, 4),
        ),
    ).save_pretrained(folder)
    return folder


def qwen_processor() -> Any:
    """Qwen2-VL's, of pictures of at most 8 x 8 patches, without what reads videos."""
    tokens = words()
    marks = ["<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>"]
    tokens.add_special_tokens({"additional_special_tokens": marks})
    images = _library.Qwen2VLImageProcessorPil(
        patch_size=14, merge_size=2, size={"shortest_edge": 28**2, "longest_edge": 112**2}
    )

    class Qwen2VLProcessor(_library.Qwen2VLProcessor):  # type: ignore[misc]
        @classmethod
        def get_attributes(cls) -> list[str]:
            return ["image_processor", "tokenizer"]

    Qwen2VLProcessor.__module__ = _library.Qwen2VLProcessor.__module__
    return Qwen2VLProcessor(images, tokens)


def _qwen(folder: Path, kind: Any) -> Path:
    processor = qwen_processor()
    tokens = processor.tokenizer
    start, end, image, video = tokens.convert_tokens_to_ids(
        ["<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>"]
    )
    text = {
        "vocab_size": len(tokens),
        "hidden_size": 32,
        "intermediate_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "rope_scaling": {"mrope_section": [1, 1, 2], "rope_type": "default", "type": "default"},
        "rope_theta": 1e4,
    }
    vision = {
        "depth": 1,
        "hidden_size": 16,
        "intermediate_size": 16,
        "num_heads": 2,
        "out_hidden_size": 32,
        "fullatt_block_indexes": [0],
        "patch_size": 14,
    }
    torch.manual_seed(13)
    kind(
        scheduler=FlowMatchEulerDiscreteScheduler(**SHIFTED, shift_terminal=0.02),
        vae=AutoencoderKLQwenImage(
            base_dim=8,
            z_dim=4,
            dim_mult=[1, 2],
            num_res_blocks=1,
            temperal_downsample=[False],
            latents_mean=[0.1, -0.2, 0.0, 0.3],
            latents_std=[1.5, 0.8, 1.0, 1.2],
        ),
        text_encoder=Qwen2_5_VLForConditionalGeneration(
            Qwen2_5_VLConfig(
                text_config=text,
                vision_config=vision,
                image_token_id=image,
                video_token_id=video,
                vision_start_token_id=start,
                vision_end_token_id=end,
            )
        ),
        tokenizer=tokens,
        processor=processor,
        transformer=QwenImageTransformer2DModel(
            patch_size=2,
            in_channels=16,
            out_channels=4,
            num_layers=2,
            attention_head_dim=8,
            num_attention_heads=2,
            joint_attention_dim=32,
            axes_dims_rope=(2, 2, 4),
        ),
    ).save_pretrained(folder)
    return folder


def save_qwen_edit(folder: Path) -> Path:
    """Qwen-Image-Edit's classes: its text encoder looks at the picture, too."""
    return _qwen(folder, QwenImageEditPipeline)


def save_qwen_plus(folder: Path) -> Path:
    """Its successor's, which takes several pictures."""
    return _qwen(folder, QwenImageEditPlusPipeline)


EDITORS: dict[str, Callable[[Path], Path]] = {
    "pix2pix": save_pix2pix,
    "kontext": save_kontext,
    "qwen": save_qwen_edit,
    "qwen_plus": save_qwen_plus,
}
"""One of each class."""
