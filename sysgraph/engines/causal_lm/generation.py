"""Ancestral sampling of many texts at once, each as if it were drawn alone."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from transformers import TemperatureLogitsWarper, TopPLogitsWarper

from sysgraph_schemas import Decoding

from ...support.seeding import derive, gumbels
from ..checkpoints.batching import Ids
from .decoder import Decoder, Way
from .stopping import StopStrings

_NUMBERS = 2**24
"""Random numbers made at once: of a row, as many as the vocabulary has tokens."""


@torch.no_grad()
def generate(
    module: nn.Module,
    prompts: Sequence[Ids],
    seeds: Sequence[int],
    *,
    room: int,
    decoding: Decoding,
    ends: Sequence[int],
    stops: StopStrings,
    way: Way,
) -> list[Ids]:
    """Completion ids of each prompt, ended by one of `ends`, by a stop string or by the length.

    Args:
        room: tokens of a completion at most.
        decoding: its temperature and top_p count here.

    Raises:
        NotFinite: the model gives logits that are no distribution.
    """
    decoder = Decoder(module, way)
    logits = decoder.start(prompts)
    written: list[list[int]] = [[] for _ in prompts]
    going = list(range(len(prompts)))  # rows that have ended are written on, and count for none
    for step in range(room):
        tokens = _drawn(logits, seeds, step, decoding)
        for row in going:
            written[row].append(tokens[row])
        going = [r for r in going if tokens[r] not in ends and not stops.ends(written[r])]
        if not going or step + 1 == room:
            break
        logits = decoder.step(range(len(prompts)), tokens)
    return [tuple(row) for row in written]


def _drawn(logits: Tensor, seeds: Sequence[int], step: int, decoding: Decoding) -> list[int]:
    """The next token of each row of `logits` [R, V], by the row's own seed."""
    if decoding.is_greedy:
        likeliest: list[int] = logits.argmax(-1).tolist()
        return likeliest
    size = max(1, _NUMBERS // logits.shape[-1])
    out: list[int] = []
    for first in range(0, len(seeds), size):
        part = slice(first, first + size)
        scores = _warped(logits[part].float(), decoding)
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


def _warped(scores: Tensor, decoding: Decoding) -> Tensor:
    """`scores` [R, V] at a temperature, -inf for what `top_p` leaves out."""
    unread = torch.empty(0, dtype=torch.long)  # warpers are given a text that these do not read
    warp = decoding.warp
    if "temperature" in warp:
        scores = TemperatureLogitsWarper(warp["temperature"])(unread, scores)
    if "top_p" in warp:
        scores = TopPLogitsWarper(warp["top_p"])(unread, scores)
    return scores
