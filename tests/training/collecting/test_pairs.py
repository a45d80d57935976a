"""Which samples are drawn, and which pairs are made of them."""

import itertools
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import sysgraph
from sysgraph import Trace, load_pairs
from sysgraph.measuring.samples import Scored, mean_score, ordered_pairs, sample_scored

from .digits import PROGRAM, ROWS, SCORER, lines


def test_pairs_are_all_ordered_pairs(run: Callable[..., Any], tmp_path: Path) -> None:
    found = run(tmp_path / "c")
    traces = lines(tmp_path / "c" / "traces.jsonl")
    assert found.traces == len(traces) == 4 * len(ROWS)
    assert found.failed == sum(t["score"] is None for t in traces) > 0
    expected = []
    for start in range(0, len(traces), 4):
        group = traces[start : start + 4]
        assert [t["extra"]["id"] for t in group] == [start // 4] * 4
        for t in group:
            raw = t["values"]["raw"]
            assert t["score"] == (None if raw == "none" else float(raw[-1]))
            assert (t["values"]["answer"] is None) == (raw == "none")
        scores = [-math.inf if t["score"] is None else t["score"] for t in group]
        for i, j in itertools.combinations(range(4), 2):
            if scores[i] != scores[j]:
                win, lose = (i, j) if scores[i] > scores[j] else (j, i)
                expected.append((start // 4, group[win]["values"], group[lose]["values"]))
    rows = lines(tmp_path / "c" / "pairs.jsonl")
    assert [(row["id"], row["chosen"], row["rejected"]) for row in rows] == expected
    assert found.pairs == len(expected)


def test_fit_reads_the_pairs(run: Callable[..., Any], tmp_path: Path) -> None:
    found = run(tmp_path / "c")
    pairs = load_pairs(PROGRAM, tmp_path / "c" / "pairs.jsonl")
    assert len(pairs) == found.pairs
    assert not any(pair.chosen.failed for pair in pairs)
    losers = [pair.rejected for pair in pairs if pair.rejected.failed]
    assert losers  # a sample that failed to parse is a loser that is kept
    assert all(set(trace.values) == {"raw"} for trace in losers)
    assert pairs[0].chosen.extra["deep"] == [None]


def test_ties_and_all_different(tmp_path: Path) -> None:
    def scored(*scores: float) -> list[Scored]:
        traces = [Trace({}, {"answer": str(i)}, ("answer",)) for i in range(len(scores))]
        return [Scored(t, s, "") for t, s in zip(traces, scores, strict=True)]

    def names(*scores: float, samples: int = 4) -> list[tuple[str, str]]:
        pairs = ordered_pairs(scored(*scores), samples)
        return [(str(p.chosen["answer"]), str(p.rejected["answer"])) for p in pairs]

    assert len(names(4, 3, 2, 1)) == 6
    assert names(1, 1, 1, 1) == []
    assert names(-math.inf, -math.inf) == []
    assert names(1, 1, 2, -math.inf) == [
        ("2", "0"),
        ("0", "3"),
        ("2", "1"),
        ("1", "3"),
        ("2", "3"),
    ]
    assert names(1, 2, 3, 4, samples=2) == [("1", "0"), ("3", "2")]  # never across inputs
    assert mean_score(scored(3, 1, -math.inf)) == pytest.approx(5 / 3)
    assert mean_score(scored(-math.inf)) == 0


def test_equal_inputs_get_samples_of_their_own() -> None:
    """In one call of the system or in several: else pairs would be counted twice."""
    system = sysgraph.System(PROGRAM, device="cpu")
    scored = sample_scored(system, [{"question": "q"}] * 200, SCORER, samples=4, seed=0)
    groups = [
        tuple(str(one.trace.values) for one in scored[i : i + 4]) for i in range(0, len(scored), 4)
    ]
    size = system.inputs_at_once(4)
    assert 1 < size < 100
    assert len(set(groups[:size]) & set(groups[size : 2 * size])) < 20
    assert groups[:size] != groups[size : 2 * size] != groups[2 * size : 3 * size]
    assert len(set(groups)) > 120  # of 200 draws from 7^4 (not equally likely) groups


def test_other_inputs_change_nothing() -> None:
    system = sysgraph.System(PROGRAM, device="cpu")
    alone = sample_scored(system, [{"question": "q7"}], SCORER, samples=4, seed=0)
    among = sample_scored(
        system, [{"question": f"q{i}"} for i in range(100)], SCORER, samples=4, seed=0
    )
    assert [one.trace for one in among[28:32]] == [one.trace for one in alone]
