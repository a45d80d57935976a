"""The best continuations of a group's beams: enough of them, whatever ends texts."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from .beam_group import Group
from .beam_settings import BeamSettings
from .stopping import StopStrings


class Best(NamedTuple):
    """Continuations of each group's beams, best first: [G, n] each."""

    scores: Tensor
    tokens: Tensor
    parents: Tensor
    """The beams that they continue."""
    ends: Tensor
    """Whether the text ends there."""


def best_of(scores: Tensor, groups: Sequence[Group], settings: BeamSettings) -> Best:
    """The best continuations, `size` that go on among them, where there are as many.

    Args:
        scores: [G, beams, V], nats, of every continuation of each group's beams.
    """
    vocabulary, flat = scores.shape[-1], scores.flatten(1)  # (G, beams * V)
    ends = torch.tensor(list(settings.ends), dtype=torch.long, device=scores.device)
    wanted = max(2, 1 + len(settings.ends)) * settings.size  # however many end, `size` go on
    while True:
        values, index = flat.topk(min(wanted, flat.shape[1]))
        tokens, parents = index % vocabulary, index // vocabulary
        best = Best(values, tokens, parents, torch.isin(tokens, ends))
        if not settings.stops:
            return best
        best = best._replace(ends=best.ends | _stopped(best, groups, settings.stops))
        going = (~best.ends | values.isinf()).sum(1)
        if wanted >= flat.shape[1] or int(going.min()) >= settings.size:
            return _those_that_count(best, settings.size)
        wanted *= 2  # any number of tokens may complete a stop string


def _stopped(best: Best, groups: Sequence[Group], stops: StopStrings) -> Tensor:
    """Which texts a stop string ends: [G, n]."""
    columns = best.scores.isfinite() & ~best.ends
    rows = zip(groups, columns.tolist(), best.tokens.tolist(), best.parents.tolist(), strict=True)
    found = [
        [
            asked and stops.ends((*group.beams[parent].ids, token))
            for asked, token, parent in zip(*row, strict=True)
        ]
        for group, *row in rows
    ]
    return torch.tensor(found, device=best.scores.device)


def _those_that_count(best: Best, size: int) -> Best:
    """As many columns for every group: those of the first `size` ranks, and `size` that go on."""
    rank = torch.arange(best.scores.shape[1], device=best.scores.device)
    counts = (rank < size) | (~best.ends & ((~best.ends).cumsum(1) <= size))
    kept = (~counts).int().argsort(dim=1, stable=True)[:, : 2 * size]
    return Best(*(column.gather(1, kept) for column in best))
