"""What each declared sampler does (`sysgraph_schemas.samplers`)."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from sysgraph_schemas.fit import Sampling
from sysgraph_schemas.samplers import SamplerName

from ..system import System
from .paths import Asked, fill_by_sampling, fill_by_search


@dataclass(frozen=True)
class Way:
    """How one node's values are drawn, and which trajectories are kept.

    Args:
        fill: gives every path that asks a value.
        keep: the places of those to keep, given log p(z_chosen | x, y_a) of each, nats, -inf where
            it cannot give z; None: all are.
    """

    fill: Callable[[System, Sequence[Asked], Sampling], None]
    keep: Callable[[Sequence[float]], Sequence[int]] | None = None


def _sample(system: System, asked: Sequence[Asked], settings: Sampling) -> None:
    fill_by_sampling(system, asked)


def _search(system: System, asked: Sequence[Asked], settings: Sampling) -> None:
    fill_by_search(system, asked, diverse=False, penalty=settings.diversity_penalty)


def _search_diversely(system: System, asked: Sequence[Asked], settings: Sampling) -> None:
    fill_by_search(system, asked, diverse=True, penalty=settings.diversity_penalty)


def _extremes(scores: Sequence[float]) -> Sequence[int]:
    """The least and the most likely of those that can give z."""
    order = sorted(range(len(scores)), key=scores.__getitem__)
    able = [i for i in order if scores[i] > -math.inf] or order
    return sorted({able[0], able[-1]})


WAYS: Mapping[SamplerName, Way] = {
    "diverse_beam": Way(_search_diversely),
    "ancestral": Way(_sample),
    "beam": Way(_search),
    "contrastive": Way(_search_diversely, _extremes),
}
