"""Pipelines of random weights in classes that are trained by flow matching, as small as they go."""

from collections.abc import Callable
from pathlib import Path

import torch
from diffusers import (
    AuraFlowPipeline,
    AuraFlowTransformer2DModel,
    AutoencoderKL,
    AutoencoderKLQwenImage,
    FlowMatchEulerDiscreteScheduler,
    FluxPipeline,
    FluxTransformer2DModel,
    QwenImagePipeline,
    QwenImageTransformer2DModel,
    SD3Transformer2DModel,
    StableDiffusion3Pipeline,
    ZImagePipeline,
    ZImageTransformer2DModel,
)
from transformers import (
    CLIPTextModel,
    CLIPTextModelWithProjection,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2Tokenizer,
    Qwen3Config,
    Qwen3Model,
    T5Config,
    T5EncoderModel,
    T5Tokenizer,
    UMT5Config,
    UMT5EncoderModel,
)

from .folders import _LETTERS, _text_config, tokenizer

SHIFTED = {"use_dynamic_shifting": True, "base_image_seq_len": 4, "max_image_seq_len": 64}
"""The schedule of time steps moves with the image's size, as FLUX's does."""


def pieces() -> T5Tokenizer:
    """One token a letter."""
    vocabulary = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", -9.0), ("▁", -2.0)]
    return T5Tokenizer(vocab=[*vocabulary, *((letter, -2.0) for letter in _LETTERS)], extra_ids=0)


def words() -> Qwen2Tokenizer:
    """One token a byte of ASCII, and the marks of a chat."""
    special = ["<|im_start|>", "<|im_end|>", "<|endoftext|>"]
    letters = [*map(chr, range(33, 127)), "Ġ", "Ċ"]
    made = Qwen2Tokenizer(
        vocab={piece: i for i, piece in enumerate([*letters, *special])},
        merges=[],
        unk_token="<|endoftext|>",
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        additional_special_tokens=special[:2],
    )
    made.chat_template = (
        "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
        "<|im_start|>assistant\n"
    )
    return made


def _vae(**scaling: float) -> AutoencoderKL:
    return AutoencoderKL(
        block_out_channels=(4, 8),
        norm_num_groups=2,
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        latent_channels=4,
        sample_size=8,
        use_quant_conv=False,
        use_post_quant_conv=False,
        **scaling,
    )


def _t5(tokens: T5Tokenizer) -> T5EncoderModel:
    return T5EncoderModel(
        T5Config(
            vocab_size=len(tokens),
            d_model=32,
            d_kv=8,
            d_ff=32,
            num_layers=2,
            num_heads=2,
            initializer_factor=1.0,
            feed_forward_proj="gated-gelu",
        )
    )


def save_sd3(folder: Path) -> Path:
    """Stable Diffusion 3.5's classes: two CLIPs and a T5, patches, a fixed shift of 3."""
    clip, tokens = tokenizer(), pieces()
    torch.manual_seed(3)
    StableDiffusion3Pipeline(
        transformer=SD3Transformer2DModel(
            sample_size=4,
            patch_size=2,
            in_channels=4,
            num_layers=2,
            attention_head_dim=8,
            num_attention_heads=2,
            joint_attention_dim=32,
            caption_projection_dim=16,
            pooled_projection_dim=24,
            out_channels=4,
            pos_embed_max_size=8,
            qk_norm="rms_norm",
        ),
        scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0),
        vae=_vae(scaling_factor=1.5305, shift_factor=0.0609),
        text_encoder=CLIPTextModelWithProjection(_text_config(clip, 16)),
        tokenizer=clip,
        text_encoder_2=CLIPTextModelWithProjection(_text_config(clip, 8)),
        tokenizer_2=clip,
        text_encoder_3=_t5(tokens),
        tokenizer_3=tokens,
    ).save_pretrained(folder)
    return folder


def save_flux(folder: Path, *, guided: bool = True) -> Path:
    """FLUX.1's classes: packed latents, guidance that is told to the transformer (if `guided`)."""
    clip, tokens = tokenizer(), pieces()
    torch.manual_seed(4)
    FluxPipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(**SHIFTED),
        vae=_vae(scaling_factor=0.3611, shift_factor=0.1159),
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
            guidance_embeds=guided,
            axes_dims_rope=(2, 2, 4),
        ),
    ).save_pretrained(folder)
    return folder


def save_qwen(folder: Path) -> Path:
    """Qwen-Image's classes: captions of any length in a template, an autoencoder of videos."""
    tokens = words()
    torch.manual_seed(5)
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
        "patch_size": 2,
    }
    QwenImagePipeline(
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
            Qwen2_5_VLConfig(text_config=text, vision_config=vision)
        ),
        tokenizer=tokens,
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


def save_zimage(folder: Path) -> Path:
    """Z-Image's classes: captions and latents in lists, time and velocity the other way round."""
    tokens = words()
    torch.manual_seed(6)
    ZImagePipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0),
        vae=_vae(scaling_factor=0.3611, shift_factor=0.1159),
        text_encoder=Qwen3Model(
            Qwen3Config(
                vocab_size=len(tokens),
                hidden_size=32,
                intermediate_size=32,
                num_hidden_layers=2,
                num_attention_heads=4,
                num_key_value_heads=2,
                head_dim=8,
            )
        ),
        tokenizer=tokens,
        transformer=ZImageTransformer2DModel(
            all_patch_size=(2,),
            all_f_patch_size=(1,),
            in_channels=4,
            dim=32,
            n_layers=2,
            n_refiner_layers=1,
            n_heads=4,
            n_kv_heads=4,
            cap_feat_dim=32,
            axes_dims=[2, 2, 4],
            axes_lens=[512, 32, 32],
        ),
    ).save_pretrained(folder)
    return folder


def save_aura(folder: Path) -> Path:
    """AuraFlow's classes: one time for all rows of a batch."""
    tokens = pieces()
    torch.manual_seed(7)
    text = UMT5Config(
        vocab_size=len(tokens), d_model=32, d_kv=8, d_ff=32, num_layers=1, num_heads=2
    )
    AuraFlowPipeline(
        tokenizer=tokens,
        text_encoder=UMT5EncoderModel(text),
        vae=_vae(scaling_factor=0.13025),
        transformer=AuraFlowTransformer2DModel(
            sample_size=4,
            patch_size=2,
            in_channels=4,
            num_mmdit_layers=1,
            num_single_dit_layers=1,
            attention_head_dim=8,
            num_attention_heads=2,
            caption_projection_dim=16,
            joint_attention_dim=32,
            out_channels=4,
            pos_embed_max_size=64,
        ),
        scheduler=FlowMatchEulerDiscreteScheduler(shift=1.73),
    ).save_pretrained(folder)
    return folder


FLOWS: dict[str, Callable[[Path], Path]] = {
    "sd3": save_sd3,
    "flux": save_flux,
    "qwen": save_qwen,
    "zimage": save_zimage,
}
"""One of each class."""
