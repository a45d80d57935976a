"""Pretraining of a toy language model on prompts and answers that a world writes."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

import torch
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from .deterministic import deterministic
from .language import tiny_llama
from .optimization import OneCycle
from .recipe import LanguageRecipe

IGNORED = -100  # cross_entropy's label for a position that does not count

Examples = Callable[[random.Random, int], Sequence[tuple[str, str]]]
"""That many prompts, each with an answer to it."""


def pretrain(
    recipe: LanguageRecipe,
    tokenizer: PreTrainedTokenizerFast,
    examples: Examples,
    on_step: Callable[[], None],
) -> LlamaForCausalLM:
    """A new model that answers as the examples do; `on_step` is called `recipe.steps` times."""
    rng = random.Random(recipe.seed)
    with deterministic(recipe.seed):
        model = tiny_llama(
            tokenizer,
            hidden_size=recipe.hidden_size,
            layers=recipe.layers,
            heads=recipe.heads,
            context=recipe.context,
            init_std=recipe.init_std,
        )
        optimizer = OneCycle(model.parameters(), recipe.learning_rate, recipe.steps)
        for _ in range(recipe.steps):
            ids, labels = encoded(tokenizer, examples(rng, recipe.batch))
            logits = model(ids).logits[:, :-1]  # [B, T - 1, V]
            loss = torch.nn.functional.cross_entropy(
                logits.flatten(0, 1), labels[:, 1:].flatten(), ignore_index=IGNORED
            )
            optimizer.step(loss)
            on_step()
    return model


def encoded(
    tokenizer: PreTrainedTokenizerFast, examples: Sequence[tuple[str, str]]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Prompts with their answers, padded on the right.

    Returns:
        `[B, T]` token ids, and `[B, T]` labels: the ids of answers and their ends, else `IGNORED`.
    """
    texts = [f"{prompt} {answer}{tokenizer.eos_token}" for prompt, answer in examples]
    ids = tokenizer(texts, padding=True, padding_side="right", return_tensors="pt")["input_ids"]
    labels = ids.masked_fill(ids == tokenizer.pad_token_id, IGNORED)
    for row, (prompt, _) in zip(labels, examples, strict=True):
        row[: len(tokenizer(prompt)["input_ids"])] = IGNORED
    return ids, labels
