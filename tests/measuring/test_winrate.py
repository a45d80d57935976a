"""Win rates: counts by hand, intervals against scipy, and what two orders say about a judge."""

import itertools
import json
import math
from collections.abc import Callable, Sequence
from fractions import Fraction

import numpy as np
import pytest
import scipy.optimize
import scipy.stats

from sysgraph import InputError, RunError, Scorer, Trace, win_rate
from sysgraph.measuring.evaluation import share
from sysgraph.measuring.judges import Comparison, Verdict


def answer(i: int, text: str | None, **extra: object) -> Trace:
    """An answer to question i; None: a parser rejected it."""
    values, gone = ({}, {"answer"}) if text is None else ({"answer": text}, set())
    return Trace({"question": f"q{i}"}, values, ("answer",), frozenset(gone), extra)


class By:
    """A judge that says what a function of a comparison says."""

    name = "by"

    def __init__(self, say: Callable[[Comparison], Verdict | None]) -> None:
        self.say = say
        self.seen: list[Comparison] = []

    def compare(
        self, comparisons: Sequence[Comparison], *, advance: Callable[[int], None]
    ) -> list[Verdict | None]:
        self.seen += comparisons
        advance(len(comparisons))
        return [self.say(comparison) for comparison in comparisons]


def higher(shown: Comparison) -> Verdict:
    a, b = float(shown.a), float(shown.b)
    return "a" if a > b else "b" if b > a else "tie"


LEFT = [answer(i, str(i % 7)) for i in range(60)]
RIGHT = [answer(i, str(i % 5)) for i in range(60)]
WINS = sum(i % 7 > i % 5 for i in range(60))
LOSSES = sum(i % 7 < i % 5 for i in range(60))


@pytest.mark.parametrize(
    "judge",
    [By(higher), Scorer("by", lambda traces: [float(trace.output()) for trace in traces])],
    ids=["judge", "scorer"],
)
def test_a_perfect_judge(judge: Scorer | By) -> None:
    found = win_rate(judge, LEFT, RIGHT)
    assert (found.wins, found.ties, found.losses) == (WINS, 60 - WINS - LOSSES, LOSSES)
    assert found.win_rate.mean == pytest.approx((WINS + found.ties / 2) / 60)
    assert (found.win_rate.n, found.no_verdict, found.judge) == (60, 0, "by")
    swapped = win_rate(judge, RIGHT, LEFT)
    assert (swapped.wins, swapped.losses) == (LOSSES, WINS)
    if isinstance(judge, Scorer):
        assert (found.position_bias, found.disagreement) == (None, None)
    else:
        assert found.position_bias is not None
        assert found.position_bias.mean == 0
        assert found.disagreement == share(0, found.position_bias.n)


@pytest.mark.parametrize(("always", "bias"), [("a", 0.5), ("b", -0.5)])
def test_a_judge_of_positions_finds_ties_only(always: Verdict, bias: float) -> None:
    found = win_rate(By(lambda shown: always), LEFT[1:5], ["other"] * 4)
    assert (found.wins, found.ties, found.losses) == (0, 4, 0)
    assert found.position_bias is not None
    low, high = scipy.stats.binomtest(round(4 * (bias + 0.5)), 4).proportion_ci(method="wilson")
    assert found.position_bias.mean == bias
    assert found.position_bias.low == pytest.approx(low - 0.5)
    assert found.position_bias.high == pytest.approx(high - 0.5)
    assert (found.disagreement, found.win_rate.mean) == (share(4, 4), 0.5)


SAID: tuple[Verdict | None, ...] = ("a", "b", "tie", None)
OUTCOMES = {  # the verdict on (a, b), then on (b, a): what is made of the two
    **dict.fromkeys([("a", "b")], "win"),
    **dict.fromkeys([("b", "a")], "loss"),
    **dict.fromkeys([("a", "a"), ("b", "b"), ("tie", "tie")], "tie"),
    **dict.fromkeys([("a", "tie"), ("tie", "a"), ("b", "tie"), ("tie", "b")], "tie"),
}


def test_every_two_verdicts() -> None:
    """Each combination once or more, counted beside."""
    combinations = list(itertools.product(SAID, SAID))
    combinations += combinations[:5]
    told = {f"q{i}": pair for i, pair in enumerate(combinations)}
    left = [answer(i, "left") for i in range(len(combinations))]
    right = [answer(i, "right") for i in range(len(combinations))]
    judge = By(lambda shown: told[shown.inputs["question"]][shown.a == "right"])
    found = win_rate(judge, left, right)
    made = [OUTCOMES.get(pair, "none") for pair in combinations]
    assert (found.wins, found.ties, found.losses, found.no_verdict) == tuple(
        made.count(name) for name in ("win", "tie", "loss", "none")
    )
    both = [pair for pair in combinations if None not in pair]
    first = {"a": Fraction(1), "tie": Fraction(1, 2), "b": Fraction(0)}
    shown_first = [(first[x] + first[y]) / 2 - Fraction(1, 2) for x, y in both]  # type: ignore[index]
    values = np.array([float(value) for value in shown_first])
    assert found.position_bias is not None
    assert found.position_bias.mean == pytest.approx(values.mean())
    z, p = scipy.stats.norm.ppf(0.975), values.mean() + 0.5
    for end in (found.position_bias.low, found.position_bias.high):  # both solve the score equation
        assert end is not None
        q = end + 0.5
        assert abs(p - q) == pytest.approx(z * math.sqrt(q * (1 - q) / len(both)))
    agreeing = [("a", "b"), ("b", "a"), ("tie", "tie")]
    assert found.disagreement == share(sum(pair not in agreeing for pair in both), len(both))


def test_the_judge_sees_both_orders_of_what_is_open() -> None:
    left = [answer(0, "x", row=7), answer(1, "same"), answer(2, None), answer(3, "y")]
    right = [answer(0, "z", row=9), answer(1, "same"), answer(2, "fine"), answer(3, None)]
    judge = By(lambda shown: "a" if shown.a == "x" else "b")
    found = win_rate(judge, left, right)
    assert [(c.inputs, c.a, c.b, c.extra) for c in judge.seen] == [
        ({"question": "q0"}, "x", "z", {"row": 7}),
        ({"question": "q0"}, "z", "x", {"row": 7}),
    ]
    assert (found.wins, found.ties, found.losses) == (2, 1, 1)
    assert found.position_bias is not None
    assert found.position_bias.n == 1


@pytest.mark.parametrize("judge", [By(higher), Scorer("s", lambda traces: [0.0 for _ in traces])])
def test_what_failed_to_parse_loses(judge: Scorer | By) -> None:
    left = [answer(0, None), answer(1, "1"), answer(2, None)]
    right = [answer(0, "1"), answer(1, None), answer(2, None)]
    found = win_rate(judge, left, right)
    assert (found.wins, found.ties, found.losses) == (1, 1, 1)


def test_texts_to_compare_with() -> None:
    found = win_rate(By(higher), LEFT, [trace.output() for trace in RIGHT])
    assert (found.wins, found.losses) == (WINS, LOSSES)
    scorer = Scorer("s", lambda traces: [t.extra["best"] == t["answer"] for t in traces])
    left = [answer(i, str(i), best="1") for i in range(3)]
    found = win_rate(scorer, left, ["0", "0", "1"])
    assert (found.wins, found.ties, found.losses) == (1, 1, 1)


def test_interval_with_ties_solves_the_score_equation() -> None:
    p, n = 30.5 / 47, 47
    z = scipy.stats.norm.ppf(0.975)

    def off(q: float) -> float:
        return abs(p - q) - z * math.sqrt(q * (1 - q) / n)

    found = share(30.5, n)
    assert found.low == pytest.approx(scipy.optimize.brentq(off, 0, p))
    assert found.high == pytest.approx(scipy.optimize.brentq(off, p, 1))


def test_interval_covers_the_truth() -> None:
    """With a quarter of ties too: 95 % or more of intervals hold the win rate that made them."""
    rng = np.random.default_rng(0)
    truth, held = 0.5 * 0.25 + 0.6, 0
    for _ in range(2000):
        found = share(float(rng.choice([0, 0.5, 1], size=80, p=[0.15, 0.25, 0.6]).sum()), 80)
        assert found.low is not None
        assert found.high is not None
        held += found.low <= truth <= found.high
    assert held / 2000 > 0.95


def test_no_verdict_at_all() -> None:
    found = win_rate(By(lambda shown: None), LEFT[1:2], ["9"])
    assert found.win_rate == found.disagreement == share(0, 0)
    assert share(0, 0).model_dump() == {"mean": None, "low": None, "high": None, "n": 0}
    assert found.no_verdict == 1
    assert str(found) == "by: win rate none, 0 won, 0 tied, 0 lost, 1 without a verdict"


def test_as_text_and_as_json() -> None:
    found = win_rate(By(lambda shown: "a"), LEFT[1:5], ["9"] * 4)
    assert str(found) == (
        "by: win rate 0.500 [0.150, 0.850], 0 won, 4 tied, 0 lost\n"
        "the answer shown first: preferred 0.500 [0.010, 0.500] above half; the orders disagree on "
        "1.000 [0.510, 1.000]"
    )

    def refuse(name: str) -> None:
        raise AssertionError(name)

    read = json.loads(found.model_dump_json(), parse_constant=refuse)
    assert type(found)(**read) == found


@pytest.mark.parametrize(
    ("left", "right", "said"),
    [
        ([], [], "0 answers and 0 others"),
        (LEFT[:2], RIGHT[:1], "2 answers and 1 others"),
        (LEFT[:2], RIGHT[1:3], "answer 0 and the other one in its place have different inputs"),
        ([Trace({"question": "q"}, {"answer": "1"})], ["2"], "answer 0 has no `outputs`"),
    ],
)
def test_what_does_not_belong_together(
    left: list[Trace], right: list[Trace | str], said: str
) -> None:
    with pytest.raises(InputError, match=said):
        win_rate(By(higher), left, right)


@pytest.mark.parametrize("verdict", ["A", 1, ["a"], True, float("nan"), {}])
def test_a_judge_that_answers_something_else(verdict: object) -> None:
    judge = By(lambda shown: verdict)  # type: ignore[arg-type, return-value]
    with pytest.raises(RunError, match=r"judge 'by' returned 2 verdicts for 2 comparisons: \["):
        win_rate(judge, LEFT[1:2], ["9"])


def test_a_judge_that_raises() -> None:
    with pytest.raises(RunError, match=r"judge 'by' raised ValueError .*\{'question': 'q1'\}: cou"):
        win_rate(By(lambda shown: float(shown.b)), LEFT[1:2], ["x"])  # type: ignore[arg-type, return-value]
