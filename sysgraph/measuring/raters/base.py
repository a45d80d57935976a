"""What makes preference pairs of the samples of an input."""

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from sysgraph_compiler import Program

from ...support.errors import InputError
from ...support.progress import Reporter
from ...support.seeding import derive
from ...traces.trace import Trace
from ..samples import Scored
from ..scorers import Scorer

MAX_COMPARISONS = 1000
"""Comparisons of an input's samples."""


@dataclass(frozen=True)
class Rating:
    """(better, worse) for each pair of an input's samples that is decided.

    `open_comparisons`: how many were asked about without an answer.
    """

    pairs: Sequence[tuple[Scored, Scored]]
    open_comparisons: int = 0


class Rater(Protocol):
    """Says which of an input's samples is better."""

    @property
    def name(self) -> str:
        """What a collection's settings call it."""

    @property
    def scorer(self) -> Scorer | None:
        """What scores the samples as they come; None: nothing does."""

    def require(self, program: Program, rows: Sequence[Mapping[str, Any]], source: str) -> None:
        """Refuses what it can not rate, before anything is sampled for it.

        Raises:
            InputError: the system's outputs or input rows are so.
        """

    def rate(self, scored: Sequence[Scored], samples: int, reporter: Reporter) -> Rating:
        """The pairs of `samples` traces an input, input by input."""


def require_texts(program: Program, what: str) -> None:
    """Refuses a system that answers with images, for what reads texts.

    Raises:
        InputError: it does.
    """
    images = {v.name for v in program.variables if v.type == "image"} & set(program.outputs)
    if images:
        raise InputError(f"{what}: reads texts, and this system answers with images")


@dataclass(frozen=True)
class Place:
    """Two samples of an input, by their numbers, in the order in which they are shown first."""

    input: int
    first: int
    second: int


def to_ask(
    scored: Sequence[Scored], samples: int, comparisons: int, same: Callable[[Scored, Scored], bool]
) -> tuple[list[Place], list[tuple[Scored, Scored]]]:
    """Which samples to compare, at most `comparisons` an input, and the pairs that are clear.

    A sample that failed loses to every one that did not. Of equal samples one is compared, and
    which ones are follows from their number alone: asked again, they are the same.

    Args:
        same: whether two samples have equal outputs.
    """
    places: list[Place] = []
    clear: list[tuple[Scored, Scored]] = []
    for start in range(0, len(scored), samples):
        group = scored[start : start + samples]
        distinct: list[int] = []
        for i, one in enumerate(group):
            if one.trace.stopped is not None:
                continue
            clear += [
                (other, one) for other in group if one.trace.failed and not other.trace.failed
            ]
            if not one.trace.failed and not any(same(one, group[j]) for j in distinct):
                distinct.append(i)
        number = start // samples
        every = sorted(
            itertools.permutations(distinct, 2), key=lambda ij: derive("compare", number, *ij)
        )
        chosen: dict[frozenset[int], tuple[int, int]] = {}
        for pair in every:
            chosen.setdefault(frozenset(pair), pair)
        places += [Place(number, *pair) for pair in itertools.islice(chosen.values(), comparisons)]
    return places, clear


def ends(
    scored: Sequence[Scored], samples: int, places: Sequence[Place]
) -> Iterator[tuple[Scored, Scored]]:
    """The two samples of each place."""
    for place in places:
        start = place.input * samples
        yield scored[start + place.first], scored[start + place.second]


def same_outputs(a: Trace, b: Trace) -> bool:
    """Whether two answers look the same: texts, and images by their content."""
    return _outputs(a) == _outputs(b)


def _outputs(trace: Trace) -> list[Any]:
    values = [trace.values.get(name) for name in trace.outputs]
    return [getattr(value, "text", value) for value in values]
