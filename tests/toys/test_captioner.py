"""What the captioner of the world "progression" writes."""

import random
from collections.abc import Callable
from math import comb
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from sysgraph.toys import recipes
from sysgraph.toys.language import build_tokenizer
from sysgraph.toys.progression import CaptionerRecipe
from sysgraph.toys.progression.captioner import answer
from sysgraph.toys.progression.world import LEVELS, Prompt, prompts, vocabulary

N = 8


@pytest.fixture(scope="module")
def written(built: Callable[[str], Path]) -> list[tuple[Prompt, list[list[str]]]]:
    """Held-out prompts with the words of the captions of `N` answers each."""
    folder = built("toy:captioner")
    model = AutoModelForCausalLM.from_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder, padding_side="left")
    asked = [prompt for prompt in prompts("test") for _ in range(N)]
    batch = tokenizer([prompt.text for prompt in asked], padding=True, return_tensors="pt")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        out = model.generate(**batch, max_new_tokens=24, do_sample=True, top_k=0)
    texts = tokenizer.batch_decode(out[:, batch["input_ids"].shape[1] :], skip_special_tokens=True)
    return [
        (prompt, [caption.split() for caption in text.split(";")])
        for prompt, text in zip(asked, texts, strict=True)
    ]


def test_most_answers_are_three_captions_of_what_was_asked_for(
    written: list[tuple[Prompt, list[list[str]]]],
) -> None:
    three = [len(captions) == 3 for _, captions in written]
    assert 0.85 < sum(three) / len(written) < 0.99
    right = [
        all(c[1:] == [prompt.attribute.adjective, prompt.scene] for c in captions)
        for prompt, captions in written
    ]
    assert sum(right) / len(written) > 0.75


def test_intensities_vary_and_often_do_not_ascend(
    written: list[tuple[Prompt, list[list[str]]]],
) -> None:
    told = [[c[0] for c in captions if c] for _, captions in written]
    orders = [[LEVELS.index(w) for w in words if w in LEVELS] for words in told]
    ascending = [len(o) == 3 and o[0] < o[1] < o[2] for o in orders]
    assert 0.3 < sum(ascending) / len(ascending) < 0.6
    words = [word for order in orders for word in order]
    assert min(words.count(level) / len(words) for level in range(len(LEVELS))) > 0.05


@pytest.mark.parametrize(("name", "share"), [("captioner", 0.35), ("captioner-ordered", 0.9)])
def test_answers_are_as_often_in_order_as_the_recipe_says(name: str, share: float) -> None:
    recipe = recipes.find(f"toy:{name}")
    assert isinstance(recipe, CaptionerRecipe)
    rng, asked = random.Random(0), prompts("train")
    answers = [answer(recipe, rng.choice(asked), rng).split(" ; ") for _ in range(4000)]
    told = [[LEVELS.index(c.split()[0]) for c in captions] for captions in answers]
    ascending = [o[0] < o[1] < o[2] for o in told if len(o) == 3]
    by_chance = comb(len(LEVELS), 3) / len(LEVELS) ** 3
    error = 4 * (share * (1 - share) / len(ascending)) ** 0.5
    assert sum(ascending) / len(ascending) == pytest.approx(
        share + (1 - share) * by_chance, abs=error
    )


def test_a_completion_glued_to_its_prompt_keeps_both_ids() -> None:
    tokenizer = build_tokenizer(vocabulary())
    for prompt in prompts("test"):
        for completion in ("very red lake ; not red lake", " ; very", ";very"):
            glued = tokenizer(prompt.text + completion)["input_ids"]
            parts = [tokenizer(text)["input_ids"] for text in (prompt.text, completion)]
            assert glued == parts[0] + parts[1]
            assert tokenizer.unk_token_id not in glued
