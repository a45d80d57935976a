"""How often one system's answers are better than others, by a judge."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from pydantic import BaseModel

from ..support.errors import InputError, RunError
from ..support.progress import Reporter
from ..traces.trace import Trace
from .evaluation import Estimate, share
from .judges import Comparison, Judge, Verdict, as_judge
from .scorers import Scorer, ScorerLike

_AT_ONCE = 64
"""Pairs that a scorer is given at once: few enough to show progress."""


class WinRate(BaseModel):
    """Verdicts on pairs of answers, one pair an input.

    `win_rate`: (wins + ties / 2) / (wins + ties + losses). `no_verdict`: pairs that the judge said
    nothing usable about in one order or both; they count nowhere else. `position_bias`: how much
    more often than half the answer shown first was preferred, over pairs. `disagreement`: share of
    the pairs asked about whose two orders contradict each other. Both are None for a judge that
    knows no order. All intervals are Wilson's.
    """

    judge: str
    win_rate: Estimate
    wins: int
    ties: int
    losses: int
    no_verdict: int
    position_bias: Estimate | None
    disagreement: Estimate | None

    def __str__(self) -> str:
        text = (
            f"{self.judge}: win rate {self.win_rate}, "
            f"{self.wins} won, {self.ties} tied, {self.losses} lost"
        )
        text += f", {self.no_verdict} without a verdict" if self.no_verdict else ""
        if self.position_bias is None or self.position_bias.mean is None:
            return text
        return (
            f"{text}\nthe answer shown first: preferred {self.position_bias} above half; "
            f"the orders disagree on {self.disagreement}"
        )


def win_rate(
    judge: ScorerLike | Judge,
    answers: Sequence[Trace],
    others: Sequence[Trace | str],
    *,
    reporter: Reporter | None = None,
) -> WinRate:
    """Compares each of `answers` with the one of `others` in its place.

    An answer that a parser rejected loses; two such, and two that are the same, tie unasked. A
    scorer scores both once, and the higher wins. A Judge is asked in both orders, and where the two
    verdicts do not agree it is a tie.

    Args:
        judge: a judge, a scorer, a function that gives a trace's score, or what `find_judge` takes.
        others: traces of the same inputs, or texts.

    Raises:
        InputError: there is no such judge, or the two do not belong together.
        RunError: the judge raised, or answered something else, or its endpoint keeps failing.
    """
    judge = as_judge(judge)
    pairs = _pairs(answers, others)
    points = [_settled(a, b) for a, b in pairs]
    asked = [pair for pair, settled in zip(pairs, points, strict=True) if settled is None]
    known = [settled for settled in points if settled is not None]
    # Counted in answers shown or scored: two to a pair.
    with (reporter or Reporter(shown=False)).task(f"judge {judge.name}", 2 * len(pairs)) as task:
        task.advance(2 * len(known))
        if isinstance(judge, Scorer):
            return _summary(judge.name, [*known, *_by_score(judge, asked, task.advance)], None)
        orders = both_orders(judge, asked, task.advance)
    return _summary(judge.name, [*known, *map(verdict_of, orders)], orders)


_Pair = tuple[Trace, Trace]
_Orders = tuple[float, float] | None
"""What the answer shown first got (1, 1/2, 0) as asked and swapped; None without two verdicts."""

_POINTS: dict[Verdict | None, float | None] = {"a": 1.0, "tie": 0.5, "b": 0.0, None: None}


def _pairs(answers: Sequence[Trace], others: Sequence[Trace | str]) -> list[_Pair]:
    if not answers or len(answers) != len(others):
        raise InputError(
            f"nothing to compare: {len(answers)} answers and {len(others)} others; expected as "
            "many of both, and at least one"
        )
    pairs = []
    for i, (a, other) in enumerate(zip(answers, others, strict=True)):
        if not a.outputs:
            raise InputError(f"answer {i} has no `outputs`: it does not say what to compare")
        name = a.outputs[0]
        b = Trace(a.inputs, {name: other}, (name,)) if isinstance(other, str) else other
        if dict(a.inputs) != dict(b.inputs):
            raise InputError(f"answer {i} and the other one in its place have different inputs")
        pairs.append((a, replace(b, extra=a.extra)))
    return pairs


def _settled(a: Trace, b: Trace) -> float | None:
    """What `a` gets (1 a win, 1/2 a tie) where no judge has to be asked."""
    if a.failed or b.failed:
        return 0.5 + (b.failed - a.failed) / 2
    return 0.5 if a.output() == b.output() else None


def _by_score(
    scorer: Scorer, pairs: Sequence[_Pair], advance: Callable[[int], None]
) -> Iterator[float]:
    for start in range(0, len(pairs), _AT_ONCE):
        chunk = pairs[start : start + _AT_ONCE]
        scores = scorer([trace for pair in chunk for trace in pair])
        for a, b in zip(scores[::2], scores[1::2], strict=True):
            yield 0.5 + ((a > b) - (a < b)) / 2
        advance(len(scores))


def both_orders(
    judge: Judge, pairs: Sequence[_Pair], advance: Callable[[int], None]
) -> list[_Orders]:
    """What a judge says of each pair, asked in both orders.

    Raises:
        RunError: the judge raised, or gave something else than a verdict each.
    """
    comparisons = [
        Comparison(shown[0].inputs, shown[0].output(), shown[1].output(), shown[0].extra)
        for a, b in pairs
        for shown in ((a, b), (b, a))
    ]
    if not comparisons:
        return []
    try:
        verdicts = list(judge.compare(comparisons, advance=advance))
    except (InputError, RunError):
        raise
    except Exception as error:  # a judge may raise anything
        raise RunError(
            f"judge {judge.name!r} raised {type(error).__name__} for {len(comparisons)} "
            f"comparisons, the first of the inputs {dict(comparisons[0].inputs)!r:.200}: {error}"
        ) from error
    if len(verdicts) != len(comparisons) or any(said not in list(_POINTS) for said in verdicts):
        raise RunError(
            f"judge {judge.name!r} returned {len(verdicts)} verdicts for {len(comparisons)} "
            f"comparisons: {sorted(set(map(str, verdicts)))!s:.200}; expected 'a', 'b', 'tie' or "
            "None each"
        )
    points = [_POINTS[verdict] for verdict in verdicts]
    return [
        None if x is None or y is None else (x, y)
        for x, y in zip(points[::2], points[1::2], strict=True)
    ]


def verdict_of(orders: _Orders) -> float | None:
    """What the first of a pair gets: what both verdicts say (1, 0), or half; None without them."""
    if orders is None:
        return None
    return orders[0] if orders[0] == 1 - orders[1] else 0.5


def _summary(
    judge: str, points: Sequence[float | None], orders: Sequence[_Orders] | None
) -> WinRate:
    counts = Counter(points)
    wins, ties, losses = counts[1.0], counts[0.5], counts[0.0]
    both = [pair for pair in orders or () if pair is not None]
    first = sum((x + y) / 2 for x, y in both)
    contradicting = sum(x != 1 - y for x, y in both)
    return WinRate(
        judge=judge,
        win_rate=share(wins + ties / 2, wins + ties + losses),
        wins=wins,
        ties=ties,
        losses=losses,
        no_verdict=counts[None],
        position_bias=None if orders is None else _above_half(share(first, len(both))),
        disagreement=None if orders is None else share(contradicting, len(both)),
    )


def _above_half(found: Estimate) -> Estimate:
    if found.mean is None or found.low is None or found.high is None:
        return found
    return Estimate(mean=found.mean - 0.5, low=found.low - 0.5, high=found.high - 0.5, n=found.n)
