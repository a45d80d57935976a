"""What a benchmark is asked and what it finds."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from . import real_model


@dataclass(frozen=True)
class Options:
    """What all rows are told.

    Attributes:
        model: folder of the language model; None: the real one, made on first use.
        quick: a tiny random model and as few repetitions as show that a row runs.
        device: `cpu` or `cuda`.
        most: how often each side is timed, but for `quick`.
    """

    model: Path | None = None
    quick: bool = False
    device: str = "cpu"
    most: int = 5

    @cached_property
    def language_model(self) -> Path:
        """The folder of the language model."""
        if self.model is not None:
            return self.model
        return real_model.tiny() if self.quick else real_model.pretrained()

    @property
    def repetitions(self) -> int:
        """How often each side is timed."""
        return 1 if self.quick else self.most

    def tell(self, text: str) -> None:
        """Shows progress."""
        print(f"    {text}", flush=True)


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes:
        row: its letter in the table, as `A1`; several lines may share it.
        work: what is done.
        against: what it is compared with.
        ratio: theirs / ours of time, or what `measure` says.
        goal: what `ratio` should be; None: nothing is asked of it.
        at_most: whether the goal is an upper limit.
        measure: what `ratio` is.
        flops: theirs / ours of the FLOPs that were counted.
        memory: peak memory in MiB by side.
        times: seconds by side, one a repetition.
        note: what a reader must know, such as why the goal is not reached.
    """

    row: str
    work: str
    against: str
    ratio: float
    goal: float | None = None
    at_most: bool = False
    measure: str = "time, theirs / ours"
    flops: float | None = None
    memory: Mapping[str, float] = field(default_factory=dict)
    times: Mapping[str, Sequence[float]] = field(default_factory=dict)
    note: str = ""

    @property
    def reached(self) -> bool | None:
        """Whether the goal is reached; None: there is none."""
        if self.goal is None:
            return None
        return self.ratio <= self.goal if self.at_most else self.ratio >= self.goal


class MismatchError(Exception):
    """Two sides do not compute the same, so that their times cannot be compared."""


def ratio(theirs: Sequence[float], ours: Sequence[float]) -> float:
    """The median over repetitions of theirs / ours: each was measured beside the other."""
    return statistics.median(t / o for t, o in zip(theirs, ours, strict=True))
