"""Tiny vision-language models of several families, with random weights."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from PIL import Image

from sysgraph.toys.language import build_tokenizer

library: Any = transformers
WORDS = "look at the what is a red blue circle square ? : yes no one two user ;"


def tokenizer(*special: str) -> Any:
    """One token a word, and these."""
    made: Any = build_tokenizer(tuple(WORDS.split(" ")))
    made.add_special_tokens({"additional_special_tokens": list(special)})
    return made


def _text(tokenizer: Any, **more: Any) -> dict[str, Any]:
    return {
        "vocab_size": len(tokenizer),
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 128,
        "initializer_range": 0.2,
        "bos_token_id": None,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
        **more,
    }


_SMALL: dict[str, Any] = {"hidden_size": 32, "intermediate_size": 48, "num_attention_heads": 4}


def _llava(folder: Path) -> None:
    """Every image is as many tokens; its chat template puts images first."""
    words = tokenizer("<image>")
    vision = library.CLIPVisionConfig(**_SMALL, num_hidden_layers=2, image_size=16, patch_size=8)
    config = library.LlavaConfig(
        vision_config=vision,
        text_config=library.LlamaConfig(**_text(words)),
        image_token_index=words.convert_tokens_to_ids("<image>"),
    )
    images = library.CLIPImageProcessorPil(
        size={"shortest_edge": 16}, crop_size={"height": 16, "width": 16}
    )
    processor = library.LlavaProcessor(
        images,
        words,
        patch_size=8,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=(
            "{% for m in messages %}{{ m.role }} : "
            "{% for part in m.content if part.type == 'image' %}<image> {% endfor %}"
            "{% for part in m.content if part.type == 'text' %}{{ part.text }}{% endfor %}"
            "{{ ' ; ' }}{% endfor %}"
        ),
    )
    library.LlavaForConditionalGeneration(config).save_pretrained(folder)
    processor.save_pretrained(folder)


def _idefics3(folder: Path) -> None:
    """Images are split into parts, more of larger ones; no chat template."""
    parts = [f"<row_{i + 1}_col_{j + 1}>" for i in range(6) for j in range(6)]
    around = ("<fake_token_around_image>", "<image>", "<end_of_utterance>", "<global-img>")
    words = tokenizer(*around, *parts)
    config = library.Idefics3Config(
        vision_config={**_SMALL, "num_hidden_layers": 1, "image_size": 16, "patch_size": 4},
        text_config=library.LlamaConfig(**_text(words)),
        image_token_id=words.convert_tokens_to_ids("<image>"),
        scale_factor=2,
        pad_token_id=words.pad_token_id,
    )
    images = library.Idefics3ImageProcessorPil(
        size={"longest_edge": 32}, max_image_size={"longest_edge": 16}
    )
    processor = library.Idefics3Processor(images, words, image_seq_len=4)
    library.Idefics3ForConditionalGeneration(config).save_pretrained(folder)
    processor.save_pretrained(folder)


def _qwen(folder: Path) -> None:
    """Images keep their shapes, and positions are of two dimensions; its class reads videos too."""
    tokens = ("<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>")
    words = tokenizer(*tokens)
    start, end, image, video = words.convert_tokens_to_ids(list(tokens))
    rope = {"rope_type": "default", "mrope_section": [1, 1, 2], "rope_theta": 10000.0}
    vision = {"hidden_size": 32, "intermediate_size": 48, "depth": 2, "num_heads": 4}
    config = library.Qwen2_5_VLConfig(
        vision_config={**vision, "out_hidden_size": 32, "patch_size": 4, "window_size": 16},
        text_config=_text(words, rope_parameters=rope),
        image_token_id=image,
        video_token_id=video,
        vision_start_token_id=start,
        vision_end_token_id=end,
    )
    images = library.Qwen2VLImageProcessorPil(
        patch_size=4, merge_size=2, size={"shortest_edge": 64, "longest_edge": 1024}
    )
    library.Qwen2_5_VLForConditionalGeneration(config).save_pretrained(folder)
    words.chat_template = (
        "{% for m in messages %}{{ m.role }} : {% if m.content is string %}{{ m.content }}"
        "{% else %}{% for part in m.content %}{% if part.type == 'image' %}"
        "<|vision_start|><|image_pad|><|vision_end|>{% else %}{{ part.text }}{% endif %}"
        "{% endfor %}{% endif %}{{ ' ; ' }}{% endfor %}"
    )
    images.save_pretrained(folder)
    words.save_pretrained(folder)


_FAMILIES: dict[str, Callable[[Path], None]] = {
    "llava": _llava,
    "idefics3": _idefics3,
    "qwen2.5-vl": _qwen,
}
FAMILIES = tuple(_FAMILIES)


@pytest.fixture(scope="session")
def viewer(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The folder of a model of a family."""
    made: dict[str, Path] = {}

    def folder(family: str) -> Path:
        if family not in made:
            made[family] = tmp_path_factory.mktemp(family)
            torch.manual_seed(0)
            _FAMILIES[family](made[family])
        return made[family]

    return folder


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ...]:
    """Files of images of several shapes."""
    folder, random = tmp_path_factory.mktemp("pictures"), np.random.default_rng(1)
    paths = []
    for i, (wide, high) in enumerate([(24, 16), (16, 24), (32, 32), (40, 20)]):
        paths.append(folder / f"{i}.png")
        pixels = random.integers(0, 256, (high, wide, 3), np.uint8)
        Image.fromarray(pixels).save(paths[-1])
    return tuple(paths)
