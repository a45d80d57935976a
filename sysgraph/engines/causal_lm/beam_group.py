"""One group of beams of one prompt: its unfinished texts and the finished ones that it keeps."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from .beam_settings import BeamSettings


class Found(NamedTuple):
    """A text that was found: ids, with what ended it unless that was the limit."""

    ids: tuple[int, ...]
    score: float
    group: int


class Candidate(NamedTuple):
    """A token behind one of a group's beams, and the score of the text so continued, in nats."""

    score: float
    token: int
    parent: int
    ends: bool
    """Whether the text ends there: with an end-of-sequence token, or a stop string."""


class Beam(NamedTuple):
    """An unfinished text; `parent` is the beam of the step before that it continues."""

    ids: tuple[int, ...]
    score: float
    parent: int


class Group:
    """Group `number` of a prompt.

    Its best unfinished texts go on, one a beam. A text that ends is kept if it is among that many
    best candidates of its step. It stops when it keeps as many, none of them below what its best
    candidate (plain search: its best unfinished text) scores at its present length. Two groups may
    find one text: an end of sequence, unlike a token that is written behind, is no pick that costs
    later groups.

    Attributes:
        first: row of its first beam in the decoder; the others follow.
        beams: the unfinished texts, best first, filled up to `size` with ones of score -inf.
        found: the best finished texts, `size` at most.
        done: whether it has stopped.
    """

    def __init__(self, prompt: int, number: int, settings: BeamSettings) -> None:
        self.prompt = prompt
        self.number = number
        self.first = prompt
        self.beams = [Beam((), 0.0, 0)]
        self.found: list[Found] = []
        self.done = False
        self._settings = settings
        self._size = settings.size

    def advance(self, ranked: Sequence[Candidate]) -> None:
        """Goes on with the best candidates that do not end, and keeps those that do.

        Args:
            ranked: best first.
        """
        going: list[Beam] = []
        length = len(self.beams[0].ids) + 1
        for rank, (score, token, parent, ends) in enumerate(ranked):
            if score == -math.inf:
                break
            text = (*self.beams[parent].ids, token)
            if not ends:
                if len(going) < self._size:
                    going.append(Beam(text, score, parent))
            elif rank < self._size:
                self._keep(text, score)
        self.done = not going or self._is_settled(ranked[0].score, going[0].score, length)
        if going:
            going += [going[0]._replace(score=-math.inf)] * (self._size - len(going))
        self.beams = going

    def _is_settled(self, ranked: float, going: float, length: int) -> bool:
        """Whether nothing of this length that scores as the best can be kept any more.

        Plain search looks at the best text that goes on, diverse search at the best candidate.
        """
        best = going if self._settings.groups == 1 else ranked
        full = len(self.found) == self._size
        return full and self._worst().score >= self._settings.score(best, length)

    def cut(self) -> None:
        """Keeps the unfinished texts: the length limit ends them."""
        for beam in self.beams:
            if beam.score > -math.inf:
                self._keep(beam.ids, beam.score)

    def _keep(self, ids: tuple[int, ...], total: float) -> None:
        score = self._settings.score(total, len(ids))
        if len(self.found) < self._size or score > self._worst().score:
            self.found.append(Found(ids, score, self.number))
        if len(self.found) > self._size:
            self.found.remove(self._worst())

    def _worst(self) -> Found:
        return min(self.found, key=lambda text: text.score)
