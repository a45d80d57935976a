"""Pretraining of the captioner: next tokens of prompts' answers, drawn as its recipe says."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

from ..answers import pretrain
from ..language import build_tokenizer, save
from .recipes import CaptionerRecipe
from .world import ATTRIBUTES, LEVELS, N_CAPTIONS, SEPARATOR, Prompt, caption, prompts, vocabulary


def build(recipe: CaptionerRecipe, folder: Path, on_step: Callable[[], None]) -> None:
    """Train the model and save it; `on_step` is called `recipe.steps` times."""
    tokenizer = build_tokenizer(vocabulary())
    asked = prompts("train")

    def examples(rng: random.Random, count: int) -> list[tuple[str, str]]:
        return [(p.text, answer(recipe, p, rng)) for p in rng.choices(asked, k=count)]

    save(pretrain(recipe, tokenizer, examples, on_step), tokenizer, folder)


def answer(recipe: CaptionerRecipe, prompt: Prompt, rng: random.Random) -> str:
    """Captions as the recipe has them, joined by the separator."""
    count = N_CAPTIONS
    if rng.random() < recipe.miscount:
        count += rng.choice((-1, 1))
    levels = [rng.randrange(len(LEVELS)) for _ in range(count)]
    if rng.random() < recipe.ascending:
        levels = sorted(rng.sample(range(len(LEVELS)), count))
    captions = []
    for level in levels:
        slips = rng.random() < recipe.slip
        attribute = rng.choice(ATTRIBUTES) if slips else prompt.attribute
        captions.append(caption(level, attribute, prompt.scene))
    return f" {SEPARATOR} ".join(captions)
