"""Means and intervals against scipy, and what an evaluation counts."""

import json
import math
import random
from collections.abc import Sequence

import numpy as np
import pytest
import scipy.stats

import sysgraph
from sysgraph import InputError, Scorer, Trace
from sysgraph.evaluation import estimate, evaluate, summarize

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
    assert found.half_width == pytest.approx((high - low) / 2)
    assert found.n == n


def test_too_few_for_an_interval() -> None:
    assert estimate([]).model_dump() == {"mean": None, "half_width": None, "n": 0}
    assert estimate([2.0]).model_dump() == {"mean": 2, "half_width": None, "n": 1}
    assert [str(estimate(v)) for v in ([], [2.0], [1.0, 3.0])] == [
        "none",
        "2.000",
        "2.000 ± 12.706",
    ]


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
    assert read["failed"] == pytest.approx(1 - len(parsed) / len(scores))
    assert read["score"]["n"] == len(parsed)
    assert read["score"]["mean"] == (pytest.approx(np.mean(parsed)) if parsed else None)
    assert read["perfect"]["mean"] == pytest.approx(scores.count(1.0) / len(scores))


def test_evaluation_counts_the_answers(system: sysgraph.System) -> None:
    traces = system.sample(INPUTS, n=1, seed=3)
    found = evaluate(system, INPUTS, VALUE, seed=3)
    answers = [t.output() for t in traces if not t.failed]
    assert 0 < len(answers) < len(INPUTS)
    assert found.score.mean == pytest.approx(np.mean([float(a) for a in answers]))
    assert found.failed == pytest.approx(1 - len(answers) / len(INPUTS))
    assert found.perfect is not None
    assert found.perfect.mean == pytest.approx(answers.count("1") / len(INPUTS))


def test_best_of_n(system: sysgraph.System) -> None:
    """P(best of 4 is 1) = 1 - 0.7^4 = 0.76; P(all fail) = 0.0016."""
    found = evaluate(system, INPUTS, VALUE, best_of=4, seed=0)
    assert found.perfect is not None
    assert found.perfect.mean == pytest.approx(1 - 0.7**4, abs=0.12)
    assert found.failed < 0.03


def test_equal_inputs_get_answers_of_their_own(system: sysgraph.System) -> None:
    """However far apart they stand: else the interval would count one answer many times."""
    same = [{"question": "q"}] * 300
    found = evaluate(system, same, Scorer("value", value, perfect=1), seed=0)
    first = evaluate(system, same[:64], Scorer("value", value, perfect=1), seed=0)
    rest = 300 * found.failed - 64 * first.failed
    assert found.failed != pytest.approx(first.failed)
    assert rest / 236 == pytest.approx(0.2, abs=0.1)


def test_nothing_to_evaluate(system: sysgraph.System) -> None:
    with pytest.raises(InputError, match="there are no inputs"):
        evaluate(system, [], VALUE)
