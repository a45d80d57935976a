"""Diverse beam search as transformers 4.55 does it: one `generate` for all prompts."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

Ids = Sequence[int]


@dataclass(frozen=True)
class Settings:
    """Of a search.

    Args:
        k: beams, groups, and texts of each prompt.
        diversity_penalty: nats.
        max_new_tokens: at which texts are cut.
        ends: end-of-sequence tokens.
        pad: what stands behind an end. A group that has stopped counts as picking it, so it should
            be a token that no other group would pick.
    """

    k: int
    diversity_penalty: float
    max_new_tokens: int
    ends: tuple[int, ...]
    pad: int


@torch.no_grad()
def group_beams(model: Any, prompts: Sequence[Ids], settings: Settings) -> list[list[list[int]]]:
    """Each prompt's k texts, with what ended them."""
    ids, mask = (part.to(model.device) for part in padded_left(prompts, settings.pad))
    out = model.generate(
        input_ids=ids,
        attention_mask=mask,
        num_beams=settings.k,
        num_beam_groups=settings.k,
        num_return_sequences=settings.k,
        diversity_penalty=settings.diversity_penalty,
        max_new_tokens=settings.max_new_tokens,
        eos_token_id=list(settings.ends),
        pad_token_id=settings.pad,
        do_sample=False,
    )
    texts = [_ended(row, settings.ends) for row in out[:, ids.shape[1] :].tolist()]
    return [texts[i : i + settings.k] for i in range(0, len(texts), settings.k)]


def padded_left(rows: Sequence[Ids], pad: int) -> tuple[Tensor, Tensor]:
    """Rows [B, T] of one length, and what of them is no padding."""
    width = max(map(len, rows))
    short = [width - len(row) for row in rows]
    ids = [[pad] * n + list(row) for n, row in zip(short, rows, strict=True)]
    mask = [[0] * n + [1] * len(row) for n, row in zip(short, rows, strict=True)]
    return torch.tensor(ids), torch.tensor(mask)


def _ended(ids: list[int], ends: Sequence[int]) -> list[int]:
    """The text up to its end, that included."""
    at = [i for i, token in enumerate(ids) if token in ends]
    return ids[: at[0] + 1] if at else ids
