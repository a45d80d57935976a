"""A2: one DPO step on rows whose prompt is four times as long as the answer, one pair a step."""

from collections.abc import Iterator

from . import pairs
from .dpo_step import compared
from .row import Options, Row

GOALS = {"TRL": 3.2, "TRL, precomputed reference": 2.2, "plain code": 2.7}
LENGTHS = ((256, 64), (512, 128))
"""Tokens of prompt and answer."""


def rows(options: Options) -> Iterator[Row]:
    for prompt, answer in LENGTHS:
        work = f"DPO step, one LM, one pair, prompt {prompt} and answer {answer}"
        made = pairs.cut(options.language_model, options.repetitions + 1, prompt, answer)
        yield from compared(options, "A2", work, made, GOALS)
