"""A1: one DPO step on real rows, one pair a step."""

from collections.abc import Iterator

from . import pairs
from .dpo_step import compared
from .row import Options, Row

GOALS = {"TRL": 2.2, "TRL, precomputed reference": 1.6, "plain code": 1.7}


def rows(options: Options) -> Iterator[Row]:
    work = f"DPO step, one LM, one pair ({pairs.source()})"
    return compared(options, "A1", work, pairs.real(options.repetitions + 1), GOALS)
