"""How trajectories of unobserved values are drawn: each way's name, what it is, how it reads.

What draws is in `sysgraph.latent`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

SamplerName = Literal["diverse_beam", "ancestral", "beam", "contrastive"]


@dataclass(frozen=True, slots=True)
class Sampler:
    """What there is to know about a sampler without drawing.

    `text`: how it reads, with `{penalty}` and `{draws}` for the settings. `independent`: its draws
    have a probability each, and may be one and the same. `keeps`: how many of `fit.sampling.draws`
    trajectories it keeps; None: it keeps all that it draws, `k`.
    """

    text: str
    independent: bool = False
    keeps: int | None = None


SAMPLERS: Mapping[SamplerName, Sampler] = {
    "diverse_beam": Sampler("by diverse beam search (penalty {penalty:g})"),
    "ancestral": Sampler("drawn one by one", independent=True),
    "beam": Sampler("by beam search"),
    "contrastive": Sampler(
        "of {draws} diverse beams (penalty {penalty:g}): those under which chosen is likeliest and "
        "least likely",
        keeps=2,
    ),
}
