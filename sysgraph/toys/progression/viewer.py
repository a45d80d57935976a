"""The viewer: a small LLaVA that is shown three pictures and names the one with most of a thing."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
import transformers
from torch import Tensor
from torch.nn.functional import cross_entropy
from transformers.utils import logging

from ...support.quiet import without_bars
from ..deterministic import deterministic
from ..language import build_tokenizer
from ..optimization import OneCycle
from . import measures
from .recipes import LETTERS, ViewerRecipe
from .scenes import SIZE, render
from .world import ATTRIBUTES, SCENES, prompts, vocabulary

IMAGE = "<image>"
_library: Any = transformers  # its classes are untyped, or typed by what their files may say


class Gallery(NamedTuple):
    """Pictures without captions."""

    pixels: Tensor
    """[N, 3, SIZE, SIZE], as the processor has them."""
    values: Tensor
    """[N, attributes], 0 to 1."""


def build(recipe: ViewerRecipe, folder: Path, on_step: Callable[[], None]) -> None:
    """Train the model and save it; `on_step` is called `recipe.steps` times."""
    processor = _processor(recipe)
    gallery = _gallery(recipe, processor)
    tokenizer = processor.tokenizer
    letters = torch.tensor(tokenizer.convert_tokens_to_ids(list(LETTERS)))
    rng = random.Random(recipe.seed)
    with deterministic(recipe.seed):
        model = _library.LlavaForConditionalGeneration(_config(recipe, tokenizer)).float()
        optimizer = OneCycle(model.parameters(), recipe.learning_rate, recipe.steps)
        for _ in range(recipe.steps):
            optimizer.step(_loss(model, recipe, processor, gallery, letters, rng))
            on_step()
    model.generation_config = transformers.GenerationConfig(
        eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id
    )
    with without_bars(logging):
        model.save_pretrained(folder)
        processor.save_pretrained(folder)


def question(asked: str) -> str:
    """What the viewer is asked, with a token for each picture."""
    shown = " ".join(f"{letter} {IMAGE}" for letter in LETTERS)
    return f"{asked} {shown} ?"


def _loss(
    model: Any,
    recipe: ViewerRecipe,
    processor: Any,
    gallery: Gallery,
    letters: Tensor,
    rng: random.Random,
) -> Tensor:
    """Of naming a picture in proportion to what it has of the attribute, and then ending."""
    asked = rng.choices(prompts("train"), k=recipe.batch)
    shown = torch.tensor([rng.sample(range(recipe.pictures), len(LETTERS)) for _ in asked])
    which = torch.tensor([ATTRIBUTES.index(prompt.attribute) for prompt in asked])
    values = gallery.values[shown].gather(2, which[:, None, None].expand(-1, len(LETTERS), 1))
    wanted = (recipe.certainty * values[..., 0]).softmax(-1)  # (B, letters)
    said = torch.multinomial(wanted, 1)[:, 0]
    tokens = (SIZE // recipe.patch) ** 2
    texts = [
        question(prompt.text).replace(IMAGE, IMAGE * tokens) + f" {LETTERS[letter]}"
        for prompt, letter in zip(asked, said.tolist(), strict=True)
    ]
    batch = processor.tokenizer(texts, padding=True, padding_side="left", return_tensors="pt")
    logits = model(**batch, pixel_values=gallery.pixels[shown.flatten()]).logits
    targets = torch.zeros(len(asked), logits.shape[-1]).scatter(
        1, letters.expand(len(asked), -1), wanted
    )
    end = torch.full((len(asked),), processor.tokenizer.eos_token_id)
    return cross_entropy(logits[:, -2], targets) + cross_entropy(logits[:, -1], end)


def _gallery(recipe: ViewerRecipe, processor: Any) -> Gallery:
    """Pictures of random scenes, each attribute anywhere."""
    random = np.random.default_rng(recipe.seed)
    names = [attribute.name for attribute in ATTRIBUTES]
    pictures = []
    for _ in range(recipe.pictures):
        scene = SCENES[random.integers(len(SCENES))]
        pixels = render(scene, dict(zip(names, random.random(len(names)), strict=True)), random)
        pictures.append((pixels * 255).round().astype(np.uint8))
    values = [
        [measures.measure(name, p.astype(np.float32) / 255) for name in names] for p in pictures
    ]
    found = processor.image_processor(pictures, return_tensors="pt")
    return Gallery(found["pixel_values"], torch.tensor(values))


def _processor(recipe: ViewerRecipe) -> Any:
    tokenizer: Any = build_tokenizer(tuple(dict.fromkeys((*vocabulary(), "?", *LETTERS))))
    tokenizer.add_special_tokens({"additional_special_tokens": [IMAGE]})
    images = _library.CLIPImageProcessorPil(
        size={"shortest_edge": SIZE}, crop_size={"height": SIZE, "width": SIZE}
    )
    return _library.LlavaProcessor(
        images,
        tokenizer,
        patch_size=recipe.patch,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,  # CLIP's class token, which is left out
    )


def _config(recipe: ViewerRecipe, tokenizer: Any) -> Any:
    size = {
        "hidden_size": recipe.hidden_size,
        "intermediate_size": 2 * recipe.hidden_size,
        "num_hidden_layers": recipe.layers,
        "num_attention_heads": recipe.heads,
    }
    return _library.LlavaConfig(
        vision_config=_library.CLIPVisionConfig(**size, image_size=SIZE, patch_size=recipe.patch),
        text_config=_library.LlamaConfig(
            **size,
            vocab_size=len(tokenizer),
            max_position_embeddings=recipe.context,
            initializer_range=recipe.init_std,
            tie_word_embeddings=True,
            bos_token_id=None,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        ),
        image_token_index=tokenizer.convert_tokens_to_ids(IMAGE),
        vision_feature_layer=-1,
    )
