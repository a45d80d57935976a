"""Pairs by the people who use a system: what they said of its answers to the same inputs."""

import itertools
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean

from ...data.ratings import Correction, Mark, Rating
from ...traces.trace import Trace
from ..samples import Scored, ordered
from .base import same_outputs

MOST = 64
"""Marked answers to the same inputs that are compared: pairs grow with the square."""
MANY = f"answers marked beyond the last {MOST} to the same inputs"
EVEN = "answers with as many thumbs up as down"
CONTRADICTED = "comparisons in which people contradict each other"
FAILED = "comparisons won by an answer without an output"
SAME = "comparisons of equal outputs"

_Two = tuple[str, str]
"""Two choices by name, in the order of names."""


def name_of(answer: str, choice: int) -> str:
    """What a choice of an answer is called: the `source` of its trace."""
    return f"{answer}:{choice}"


@dataclass
class Ballots:
    """What was said of all choices: by each person, what that person said last.

    Where nobody says who is speaking, it is always the same person.
    """

    marks: dict[str, dict[str | None, Mark]] = field(default_factory=dict)
    """By choice and person."""
    orders: dict[str, dict[_Two, dict[str | None, int]]] = field(default_factory=dict)
    """By answer, two of its choices, and person: 1 where the first is better, else -1."""
    corrections: dict[tuple[str, str | None], Correction] = field(default_factory=dict)
    """By choice and person."""
    replaced: int = 0
    """Ratings in whose place a later one of the same person stands."""

    @classmethod
    def count(cls, ratings: Iterable[Rating]) -> "Ballots":
        """What was said, in this order."""
        out = cls()
        for rating in ratings:
            out.replaced += out._add(rating)
        return out

    @property
    def choices(self) -> set[str]:
        """Those of which anything was said."""
        return self.compared | {name for name, _ in self.corrections}

    @property
    def compared(self) -> set[str]:
        """Those that were marked, or compared with others."""
        ordered = {name for two in self.orders.values() for both in two for name in both}
        return ordered | self.marks.keys()

    def _add(self, rating: Rating) -> bool:
        """Whether it takes another's place."""
        said, user = rating.said, rating.user
        if isinstance(said, Mark):
            marks = self.marks.setdefault(name_of(rating.id, said.choice), {})
            was = user in marks
            marks[user] = said
            return was
        if isinstance(said, Correction):
            key = (name_of(rating.id, said.choice), user)
            was = key in self.corrections
            self.corrections[key] = said
            return was
        orders, was = self.orders.setdefault(rating.id, {}), False
        for better, worse in itertools.combinations(said.choices, 2):
            a, b = name_of(rating.id, better), name_of(rating.id, worse)
            given = orders.setdefault((min(a, b), max(a, b)), {})
            was = was or user in given
            given[user] = 1 if a < b else -1
        return was


@dataclass(frozen=True)
class Decided:
    """(better, worse), by name, of each two that people tell apart; why how many make no pair.

    The marks of those `beyond` the last `MOST` are not looked at.
    """

    pairs: Sequence[tuple[str, str]]
    left_out: Mapping[str, int]
    beyond: Sequence[str] = ()


def decide(traces: Mapping[str, Trace], ballots: Ballots) -> Decided:
    """What people said of answers to the same inputs.

    Two choices of one answer that somebody compared are as the majority says. Others are ordered by
    their marks: more thumbs up than down beat more down than up, and numbers their means. What
    failed is as bad as a thumb down, and worse than any number. Equal outputs, and what is even,
    make no pair.

    Args:
        traces: by the names of their choices, in the order of their answers.
    """
    marked = [name for name in traces if name in ballots.marks and not traces[name].failed]
    left = Counter({MANY: len(marked[:-MOST])})
    votes = _by_marks(traces, marked[-MOST:], ballots, left)
    for answer in dict.fromkeys(name.rpartition(":")[0] for name in traces):
        for two, by_user in ballots.orders.get(answer, {}).items():
            votes[two] = sum(by_user.values())
    pairs = []
    for two, vote in votes.items():
        better, worse = two if vote > 0 else two[::-1]
        won, lost = traces[better], traces[worse]
        if won.stopped is not None or lost.stopped is not None:
            continue
        if vote == 0:
            left[CONTRADICTED] += 1
        elif won.failed:
            left[FAILED] += 1
        elif same_outputs(won, lost):
            left[SAME] += 1
        else:
            pairs.append((better, worse))
    return Decided(pairs, left, marked[:-MOST])


def _by_marks(
    traces: Mapping[str, Trace], marked: Sequence[str], ballots: Ballots, left: Counter[str]
) -> dict[_Two, int]:
    """Of two choices that marks tell apart, whether the first is better: above 0, below 0 if not.

    It is 0 where thumbs say one thing and numbers another.
    """
    failed = [name for name, trace in traces.items() if trace.failed][-MOST:]
    votes: Counter[_Two] = Counter()
    for scale, lowest in (("thumb", -1.0), ("number", -math.inf)):
        scored = []
        for name in marked:
            values = [m.value for m in ballots.marks[name].values() if m.scale == scale]
            if not values:
                continue
            if scale == "thumb" and sum(values) == 0:
                left[EVEN] += 1
                continue
            score = fmean(values) if scale == "number" else math.copysign(1, sum(values))
            scored.append(Scored(traces[name], score, name))
        both = [*scored, *(Scored(traces[name], lowest, name) for name in failed)]
        for better, worse in ordered(both, len(both)) if scored else ():
            a, b = better.source, worse.source
            votes[min(a, b), max(a, b)] += 1 if a < b else -1
    return dict(votes)
