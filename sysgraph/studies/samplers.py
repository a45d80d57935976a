"""The comparison of samplers (arXiv 2502.17721, appendix J and Figure 8)."""

from collections.abc import Iterator, Mapping
from typing import Any

from sysgraph_schemas import Fit

from .bench import Bench
from .rows import Entry, training

_VARIANTS: Mapping[str, Mapping[str, Any]] = {
    "diverse beam 2": {"sampler": "diverse_beam", "k": 2},
    "contrastive 4 to 2": {"sampler": "contrastive", "draws": 4},
    "ancestral 2": {"sampler": "ancestral", "k": 2},
    "ancestral 4": {"sampler": "ancestral", "k": 4},
    "ancestral 8": {"sampler": "ancestral", "k": 8},
    "importance 4": {"sampler": "ancestral", "k": 4, "estimator": "importance"},
}
_KEPT = ("diversity_penalty", "redraw_every")
"""What every variant has as the graph has it."""


def sampler_rows(bench: Bench) -> Iterator[Entry]:
    """Joint training with each sampler.

    The one that the graph itself uses is the run that `joint` is in the comparison of trainings.
    """
    own = bench.program.fit.sampling.model_dump()
    for name, variant in _VARIANTS.items():
        changed = {**{key: own[key] for key in _KEPT}, **variant}
        sampling = Fit.model_validate({"sampling": changed}).sampling
        is_own = sampling.model_dump() == own
        yield training(
            bench,
            name,
            f"joint, {_said(variant)}",
            {"credit": "system"} if is_own else {"credit": "system", "sampling": changed},
            folder="joint" if is_own else name,
            drawn=sampling.drawn,
        )


def _said(variant: Mapping[str, Any]) -> str:
    return ", ".join(f"{key}: {value}" for key, value in variant.items())
