"""Image classifiers, regressors and CLIPs of random weights, as small as they go, and images."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import nn
from transformers import (
    CLIPConfig,
    CLIPImageProcessor,
    CLIPModel,
    CLIPProcessor,
    CLIPTokenizer,
    PreTrainedModel,
    ResNetConfig,
    ResNetForImageClassification,
    ViTConfig,
    ViTForImageClassification,
    ViTImageProcessor,
)

from sysgraph.traces.pictures import Picture

LABELS = ("bright", "red", "foggy")
TOKENS = 40
_LETTERS = "abcdefghijklmnopqrstuvwxyz"


def save_classifier(folder: Path, labels: tuple[str, ...] = LABELS, kind: str = "vit") -> str:
    """A ViT or a ResNet; `problem_type` may be written into its config.json."""
    names: dict[str, Any] = {
        "id2label": dict(enumerate(labels)),
        "label2id": {label: i for i, label in enumerate(labels)},
    }
    if kind == "vit":
        sizes = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1}
        config = ViTConfig(**sizes, num_attention_heads=2, image_size=16, patch_size=8, **names)
        save(ViTForImageClassification(config), folder)
    else:
        depth = {"embedding_size": 8, "hidden_sizes": [8, 8], "depths": [1, 1]}
        save(ResNetForImageClassification(ResNetConfig(**depth, **names)), folder)
    ViTImageProcessor(size={"height": 16, "width": 16}).save_pretrained(folder)
    return str(folder)


def save_clip(folder: Path) -> str:
    """A CLIP with one token a letter."""
    pieces = [*_LETTERS, *(f"{letter}</w>" for letter in _LETTERS)]
    special = ["<|startoftext|>", "<|endoftext|>"]
    words = CLIPTokenizer(
        vocab={piece: i for i, piece in enumerate([*pieces, *special])},
        merges=[],
        model_max_length=TOKENS,
    )
    both = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1}
    text = {
        "vocab_size": len(words),
        "num_attention_heads": 2,
        "max_position_embeddings": TOKENS,
        "bos_token_id": words.bos_token_id,
        "eos_token_id": words.eos_token_id,
        "pad_token_id": words.pad_token_id,
    }
    vision = {"num_attention_heads": 2, "image_size": 16, "patch_size": 8}
    config = CLIPConfig(
        text_config={**both, **text}, vision_config={**both, **vision}, projection_dim=16
    )
    save(CLIPModel(config), folder)
    images = CLIPImageProcessor(size={"shortest_edge": 16}, crop_size={"height": 16, "width": 16})
    CLIPProcessor(images, words).save_pretrained(folder)
    return str(folder)


def save(module: PreTrainedModel, folder: Path) -> None:
    """Weights far from those of a fresh model, so that another label or text shows."""
    torch.manual_seed(0)
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            if name != "logit_scale":
                nn.init.normal_(parameter, std=0.5)
    module.save_pretrained(folder)


def noise(folder: Path, count: int, size: tuple[int, int] = (12, 12)) -> list[Picture]:
    """Images of noise, each tinted otherwise, in files."""
    rng = np.random.default_rng(0)
    out = []
    for i in range(count):
        tint = rng.uniform(0.2, 1, 3)
        pixels = (rng.uniform(0, 255, (*size, 3)) * tint).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{i}.png")
        out.append(Picture.read(folder / f"{i}.png"))
    return out
