"""Means and intervals against scipy, and what an evaluation counts."""

import json
import math
import random
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import scipy.stats

import sysgraph
from sysgraph import InputError, RunError, Scorer, Trace
from sysgraph.measuring.evaluation import estimate, evaluate, share, summarize
from sysgraph.measuring.scorers.base import Success

FLIP = """
sysgraph: 1
name: flip
models: {m: {kind: table, values: ["0", "1", "none"], probs: [[0.5, 0.3, 0.2]]}}
parsers: {digit: {kind: regex, pattern: "[0-9]", on_failure: reject}}
nodes:
  question: {kind: input}
  raw: {kind: lm, model: m, prompt: "{{ question }}"}
  answer: {kind: parse, parser: digit}
edges: [question -> raw, raw -> answer]
outputs: [answer]
"""


def value(traces: Sequence[Trace]) -> list[float]:
    return [float(trace.output()) for trace in traces]


VALUE = Scorer("value", value, perfect=1)
INPUTS = [{"question": f"q{i}"} for i in range(150)]


@pytest.fixture(scope="module")
def system() -> sysgraph.System:
    return sysgraph.System(sysgraph.compile(sysgraph.load(FLIP)), device="cpu")


@pytest.mark.parametrize("n", [2, 3, 10, 500])
def test_interval_is_students(n: int) -> None:
    rng = random.Random(n)
    values = [rng.gauss(3, 2) for _ in range(n)]
    found = estimate(values)
    low, high = scipy.stats.t.interval(
        0.95, n - 1, loc=np.mean(values), scale=scipy.stats.sem(values)
    )
    assert found.mean == pytest.approx(np.mean(values))
    assert (found.low, found.high) == pytest.approx((low, high))
    assert found.n == n


def test_too_few_for_an_interval() -> None:
    assert estimate([]).model_dump() == {"mean": None, "low": None, "high": None, "n": 0}
    assert estimate([2.0]).model_dump() == {"mean": 2, "low": None, "high": None, "n": 1}
    assert [str(estimate(v)) for v in ([], [2.0], [1.0, 3.0])] == [
        "none",
        "2.000",
        "2.000 [-10.706, 14.706]",
    ]


@pytest.mark.parametrize("values", [[3.0] * 8, [0.1 + 0.2, 0.3, 0.3], [0.0, 1e-17]])
def test_equal_values_say_nothing_of_their_spread(values: list[float]) -> None:
    found = estimate(values)
    assert (found.low, found.high) == (None, None)
    assert "[" not in str(found)


@pytest.mark.parametrize(
    "scores", [[-math.inf], [-math.inf] * 3, [1.0], [1.0, -math.inf], [0.0, 1.0, -math.inf]]
)
def test_json_is_strict(scores: list[float]) -> None:
    def refuse(name: str) -> None:
        raise AssertionError(name)

    found = summarize(scores, VALUE)
    read = json.loads(found.model_dump_json(), parse_constant=refuse)
    json.dumps(found.metrics(), allow_nan=False)
    parsed = [s for s in scores if s > -math.inf]
    assert read["failed"]["mean"] == pytest.approx(1 - len(parsed) / len(scores))
    assert read["score"]["n"] == len(parsed)
    assert read["score"]["mean"] == (pytest.approx(np.mean(parsed)) if parsed else None)
    assert read["perfect"]["mean"] == pytest.approx(scores.count(1.0) / len(scores))


def wilson(count: int, n: int) -> Any:
    low, high = scipy.stats.binomtest(count, n).proportion_ci(0.95, method="wilson")
    return pytest.approx((low, high), abs=1e-12)


@pytest.mark.parametrize("n", [1, 2, 8, 193])
def test_intervals_of_shares_are_wilsons(n: int) -> None:
    for count in {0, 1, n // 3, n}:
        found = share(count, n)
        assert (found.mean, found.n) == (count / n, n)
        assert (found.low, found.high) == wilson(count, n)


@pytest.mark.parametrize(("yes", "failed"), [(8, 0), (0, 0), (5, 2), (0, 8), (1, 7)])
@pytest.mark.parametrize("top", [1.0, None])
def test_yes_or_no_is_a_share(yes: int, failed: int, top: float | None) -> None:
    """Eight of eight is not `1.000 ± 0.000`."""
    scores = [1.0] * yes + [0.0] * (8 - yes - failed) + [-math.inf] * failed
    found = summarize(scores, Scorer("right", value, perfect=top))
    if failed < 8:
        assert (found.score.low, found.score.high) == wilson(yes, 8 - failed)
    assert (found.failed.low, found.failed.high) == wilson(failed, 8)
    assert (found.perfect is None) == (top is None)
    if found.perfect is not None:
        assert (found.perfect.low, found.perfect.high) == wilson(yes, 8)


def test_a_question_that_raises_names_the_answer() -> None:
    odd = Scorer("value", value, success=Success("odd", lambda t: int(t.output()) % 2 == 1))
    traces = [Trace({"question": "how?"}, {"answer": text}, ("answer",)) for text in ("1", "x")]
    with pytest.raises(RunError, match=r"'odd' raised ValueError for the output 'x' .*'how\?'"):
        summarize([1.0, 1.0], odd, traces)


def test_as_text() -> None:
    found = summarize([1.0] * 8, VALUE)
    assert str(found) == "value 1.000 [0.676, 1.000], perfect 1.000 [0.676, 1.000]"
    found = summarize([3.0] * 7 + [-math.inf], Scorer("points", value, perfect=3))
    assert str(found) == (
        "points 3.000, perfect 0.875 [0.529, 0.978], without an output 0.125 [0.022, 0.471] "
        "(a parser or tool rejected, a prompt did not fit its model, or a server would not answer)"
    )
    counts = summarize([0.0, 1.0], Scorer("points", value, perfect=3))
    assert str(counts) == "points 0.500 [-5.853, 6.853], perfect 0.000 [0.000, 0.658]"


def test_the_share_of_abstentions_is_reported() -> None:
    """They have a score; what both failed and abstained has none, and counts once."""
    said = Trace({"x": "1"}, {"a": "1"}, ("a", "b"))
    silent = Trace({"x": "1"}, {}, ("a",), frozenset("a"), {}, frozenset("a"), frozenset("a"))
    both = Trace({"x": "1"}, {}, ("a", "b"), frozenset("ab"), {}, frozenset("ab"), frozenset("a"))
    scores = [1.0, 0.0, -math.inf, 1.0]
    found = summarize(scores, Scorer("right", value), [said, silent, both, said])
    assert found.abstained == found.failed == share(1, 4)
    assert ", abstained 0.250 [0.046, 0.699], without an output 0.250" in str(found)
    assert found.metrics() == {"score": pytest.approx(2 / 3), "failed": 0.25, "abstained": 0.25}
    assert "abstained" not in str(summarize([1.0], Scorer("right", value), [said]))


def test_evaluation_counts_the_answers(system: sysgraph.System) -> None:
    traces = system.sample(INPUTS, n=1, seed=3)
    found = evaluate(system, INPUTS, VALUE, seed=3)
    answers = [t.output() for t in traces if not t.failed]
    assert 0 < len(answers) < len(INPUTS)
    assert found.score.mean == pytest.approx(np.mean([float(a) for a in answers]))
    assert found.failed.mean == pytest.approx(1 - len(answers) / len(INPUTS))
    assert found.perfect is not None
    assert found.perfect.mean == pytest.approx(answers.count("1") / len(INPUTS))


def test_best_of_n(system: sysgraph.System) -> None:
    """P(best of 4 is 1) = 1 - 0.7^4 = 0.76; P(all fail) = 0.0016."""
    found = evaluate(system, INPUTS, VALUE, best_of=4, seed=0)
    assert found.perfect is not None
    assert found.perfect.mean == pytest.approx(1 - 0.7**4, abs=0.12)
    assert found.failed.mean is not None
    assert found.failed.mean < 0.03


def test_equal_inputs_get_answers_of_their_own(system: sysgraph.System) -> None:
    """However far apart they stand: else the interval would count one answer many times."""
    same = [{"question": "q"}] * 300
    found = evaluate(system, same, Scorer("value", value, perfect=1), seed=0)
    first = evaluate(system, same[:64], Scorer("value", value, perfect=1), seed=0)
    failed, of_64 = found.failed.mean, first.failed.mean
    assert failed is not None
    assert of_64 is not None
    rest = 300 * failed - 64 * of_64
    assert failed != pytest.approx(of_64)
    assert rest / 236 == pytest.approx(0.2, abs=0.1)


def test_nothing_to_evaluate(system: sysgraph.System) -> None:
    with pytest.raises(InputError, match="there are no inputs"):
        evaluate(system, [], VALUE)
