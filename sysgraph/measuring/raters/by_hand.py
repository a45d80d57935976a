"""Pairs by people, who compare two outputs at a time on a page and hand in a file of answers."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, cast, get_args

from sysgraph_compiler import Program
from sysgraph_schemas.bounded import read_bounded

from ...support.errors import DataError, InputError
from ...support.progress import Reporter
from ..samples import Scored
from .base import Place, Rating, ends, same_outputs, to_ask
from .page import page

_MAX_BYTES = 1 << 26
"""Bytes of a file of answers: half a million of them."""

Better = Literal["left", "right", "neither"]


@dataclass(frozen=True)
class Answers:
    """What somebody answered.

    Attributes:
        file: where it is from.
        collection: the digest of the traces that were compared.
        better: which of two samples is, by their numbers as they were shown; None: not answered.
    """

    file: Path
    collection: str
    better: Mapping[Place, Better | None]


@dataclass(frozen=True)
class ByHand:
    """People, by a page; without `answers` nothing is decided yet.

    Args:
        comparisons: at most so many an input.
    """

    comparisons: int
    answers: Answers | None = None
    name: ClassVar[str] = "by hand"
    scorer: ClassVar[None] = None

    def require(self, program: Program, rows: Sequence[Mapping[str, Any]], source: str) -> None:
        """Nothing: people read texts and see images."""

    def rate(self, scored: Sequence[Scored], samples: int, reporter: Reporter) -> Rating:
        """What was answered. Where neither is better there is no pair.

        Raises:
            InputError: the answers are about samples that there are not.
        """
        del reporter
        _, clear = to_ask(scored, samples, self.comparisons, _same)
        given: Mapping[Place, Better | None] = self.answers.better if self.answers else {}
        size = len(scored) // samples
        for place in given:
            if place.input >= size or max(place.first, place.second) >= samples:
                assert self.answers is not None
                raise InputError(
                    f"{self.answers.file}: input {place.input} has no samples {place.first} and "
                    f"{place.second}: it is about another collection"
                )
        decided = [place for place, better in given.items() if better in ("left", "right")]
        both = zip(ends(scored, samples, decided), decided, strict=True)
        pairs = [(a, b) if given[at] == "left" else (b, a) for (a, b), at in both]
        return Rating([*clear, *pairs], sum(better is None for better in given.values()))

    def page(
        self, title: str, scored: Sequence[Scored], samples: int, collection: str
    ) -> tuple[str, int]:
        """The page on which they are compared, and how many comparisons it has.

        Args:
            title: of the page.
            collection: the digest of the traces, which the answers will hold.
        """
        places, _ = to_ask(scored, samples, self.comparisons, _same)
        both = [(a.trace, b.trace) for a, b in ends(scored, samples, places)]
        return page(title, collection, places, both), len(places)


def read_answers(file: Path) -> Answers:
    """The answers in a file that the page wrote.

    Raises:
        InputError: there is no such file, or it is none.
        DataError: some of the answers are none, all of them.
    """
    try:
        found = json.loads(read_bounded(file, _MAX_BYTES))
    except OSError as error:
        raise InputError(f"cannot read {file}: {error.strerror}") from None
    except (ValueError, RecursionError):
        found = None
    answers = found.get("answers") if isinstance(found, dict) else None
    if not isinstance(answers, list) or not isinstance(found.get("collection"), str):
        raise InputError(
            f"{file} holds no answers: expected the file that the page's button `Download` wrote"
        )
    better: dict[Place, Better | None] = {}
    problems = []
    for number, answer in enumerate(answers, start=1):
        read = _read(answer)
        if read is None:
            problems.append(
                f"{file}: answer {number}: {json.dumps(answer)[:80]}: expected input, left and "
                f"right as whole numbers, and better, one of {', '.join(get_args(Better))}"
            )
        elif read[0] in better:
            problems.append(f"{file}: answer {number}: there is one about these samples already")
        else:
            better[read[0]] = read[1]
    if problems:
        raise DataError(problems)
    return Answers(file, found["collection"], better)


def _read(answer: Any) -> tuple[Place, Better | None] | None:
    if not isinstance(answer, dict):
        return None
    numbers = [answer.get(name) for name in ("input", "left", "right")]
    sound = [number for number in numbers if type(number) is int and number >= 0]
    better = answer.get("better")
    if len(sound) != 3 or sound[1] == sound[2] or better not in [None, *get_args(Better)]:
        return None
    return Place(*sound), cast("Better | None", better)


def _same(a: Scored, b: Scored) -> bool:
    return same_outputs(a.trace, b.trace)
