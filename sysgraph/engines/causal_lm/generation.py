"""Ancestral sampling of many texts at once, each as if it were drawn alone."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from transformers import TemperatureLogitsWarper, TopPLogitsWarper

from sysgraph_schemas import CausalLM

from ...support.seeding import derive, gumbels
from ..checkpoints.batching import Ids
from .decoder import Decoder, Way

_NUMBERS = 2**24
"""Random numbers made at once: of a row, as many as the vocabulary has tokens."""


@torch.no_grad()
def generate(
    module: nn.Module,
    prompts: Sequence[Ids],
    seeds: Sequence[int],
    *,
    spec: CausalLM,
    ends: Sequence[int],
    way: Way,
) -> list[Ids]:
    """Completion ids of each prompt, ended by one of `ends` unless the length limit cut them.

    Raises:
        NotFinite: the model gives logits that are no distribution.
    """
    decoder = Decoder(module, way)
    logits = decoder.start(prompts)
    written: list[list[int]] = []  # by step, of every row: what follows a row's end counts for none
    going = set(range(len(prompts)))
    for step in range(spec.max_new_tokens):
        tokens = _drawn(logits, seeds, step, spec)
        written.append(tokens)
        going = {row for row in going if tokens[row] not in ends}
        if not going or step + 1 == spec.max_new_tokens:
            break
        logits = decoder.step(range(len(prompts)), tokens)
    return [_ended(row, ends) for row in zip(*written, strict=True)]


def _drawn(logits: Tensor, seeds: Sequence[int], step: int, spec: CausalLM) -> list[int]:
    """The next token of each row of `logits` [R, V], by the row's own seed."""
    if spec.temperature == 0:
        likeliest: list[int] = logits.argmax(-1).tolist()
        return likeliest
    size = max(1, _NUMBERS // logits.shape[-1])
    out: list[int] = []
    for first in range(0, len(seeds), size):
        part = slice(first, first + size)
        scores = _warped(logits[part].float(), spec)
        noise = gumbels([derive(s, step) for s in seeds[part]], scores.shape[-1], scores.device)
        out += gumbel_max(scores, noise).tolist()
    return out


def gumbel_max(scores: Tensor, noise: Tensor) -> Tensor:
    """A draw from the softmax of each row of `scores` [R, V]: [R] indices (Gumbel 1954).

    A row of `noise` [R, V] is as fixed as the row's seed. Where scores differ by rounding, as they
    do by what is computed beside them, another token is drawn about as seldom as the distributions
    differ. By an inverse CDF it would be drawn far more often: there, rounding adds up over the
    vocabulary.
    """
    return (scores + noise).argmax(-1)


def _warped(scores: Tensor, spec: CausalLM) -> Tensor:
    """`scores` [R, V] at the model's temperature, -inf for what its `top_p` leaves out."""
    unread = torch.empty(0, dtype=torch.long)  # warpers are given a text that these do not read
    if spec.temperature != 1:
        scores = TemperatureLogitsWarper(spec.temperature)(unread, scores)
    if spec.top_p < 1:
        scores = TopPLogitsWarper(spec.top_p)(unread, scores)
    return scores


def _ended(row: Sequence[int], ends: Sequence[int]) -> Ids:
    """`row` up to its first end-of-sequence id, which is kept."""
    stop = next((i + 1 for i, token in enumerate(row) if token in ends), len(row))
    return tuple(row[:stop])
