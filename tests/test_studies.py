"""A study's rows, against means made by hand; and what survives a stop or a failure."""

import json
import math
import signal
import statistics
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

import sysgraph
from sysgraph import InputError, RunError, Scorer, Trace
from sysgraph.engines.seeding import derive
from sysgraph.progress import Reporter
from sysgraph.studies import Study

INPUTS = [f"x{i}" for i in range(6)]
T_975 = {2: 12.706204736, 3: 4.302652730}  # Student's t, by number of values
ROWS = ["before", "best of 3", "m alone", "n alone", "separate", "per node", "joint"]


@pytest.fixture
def graph(tmp_path: Path) -> sysgraph.Graph:
    """Two tables that say a, b or c, each to the input alone; only together they are right."""
    questions = tmp_path / "inputs.jsonl"
    questions.write_text("".join(json.dumps({"x": x}) + "\n" for x in INPUTS))
    table = {"kind": "table", "values": ["a", "b", "c"]}
    plain: dict[str, Any] = {
        "sysgraph": 1,
        "name": "twins",
        "models": {"m": table, "n": table},
        "nodes": {
            "x": {"kind": "input"},
            "left": {"kind": "lm", "model": "m", "prompt": "{{ x }}"},
            "right": {"kind": "lm", "model": "n", "prompt": "{{ x }}"},
        },
        "edges": ["x -> left, right"],
        "outputs": ["left", "right"],
        "fit": {
            "inputs": str(questions),
            "eval_inputs": str(questions),
            "rounds": 2,
            "samples": 3,
            "steps": 10,
            "batch_size": 4,
            "learning_rate": 0.3,
            "eval_fraction": 0,
            "save_every": 3,
        },
    }
    return sysgraph.load(json.dumps(plain))


def count(traces: Sequence[Trace]) -> list[float]:
    """How many of the two say a."""
    return [float(t.output().count("a")) for t in traces]


COUNT = Scorer("count", count, perfect=2)


def run(graph: sysgraph.Graph, output: Path, scorer: Scorer = COUNT, seeds: int = 3) -> Study:
    return sysgraph.study(
        graph, output=output, seeds=seeds, scorer=scorer, reporter=Reporter(shown=False)
    )


def by_hand(
    graph: sysgraph.Graph, seeds: int, folders: Callable[[int], Sequence[Path]], n: int = 1
) -> dict[str, Any]:
    """Mean, interval and share of perfect answers, from samples alone."""
    scores, perfect = [], []
    for seed in range(seeds):
        system = sysgraph.System(sysgraph.compile(graph), device="cpu")
        for folder in folders(seed):
            system.load(folder)
        traces = system.sample([{"x": x} for x in INPUTS], n=n, seed=derive(seed, "evaluate"))
        found = count(traces)
        best = [max(found[i : i + n]) for i in range(0, len(found), n)]
        scores.append(statistics.fmean(best))
        perfect.append(statistics.fmean(score == 2 for score in best))

    def estimate(values: list[float]) -> dict[str, Any]:
        half = T_975[seeds] * statistics.stdev(values) / math.sqrt(seeds)
        return {"mean": pytest.approx(statistics.fmean(values)), "n": seeds} | {
            "half_width": pytest.approx(half, abs=1e-9)
        }

    return {"score": estimate(scores), "perfect": estimate(perfect)}


def test_rows_are_the_means_of_what_they_say(graph: sysgraph.Graph, tmp_path: Path) -> None:
    root = tmp_path / "a study"
    result = run(graph, root)
    assert [row.name for row in result.rows] == ROWS
    assert not [failure for row in result.rows for failure in row.failures]
    alone = {model: lambda s, m=model: root / f"{m}-alone" / f"seed{s}" for model in "mn"}
    expected = {
        "before": by_hand(graph, 3, lambda s: []),
        "best of 3": by_hand(graph, 3, lambda s: [], n=3),
        "m alone": by_hand(graph, 3, lambda s: [alone["m"](s)]),
        "n alone": by_hand(graph, 3, lambda s: [alone["n"](s)]),
        "separate": by_hand(graph, 3, lambda s: [alone["m"](s), alone["n"](s)]),
        "per node": by_hand(graph, 3, lambda s: [root / "per-node" / f"seed{s}"]),
        "joint": by_hand(graph, 3, lambda s: [root / "joint" / f"seed{s}"]),
    }
    for row in result.rows:
        assert row.perfect is not None
        found = {"score": row.score.model_dump(), "perfect": row.perfect.model_dump()}
        assert found == expected[row.name], row.name
        assert len(row.seeds) == 3
    score = {row.name: row.score.mean or 0 for row in result.rows}
    assert score["joint"] > score["m alone"] > score["before"]
    assert score["separate"] > max(score["m alone"], score["n alone"])
    assert json.loads((root / "study.json").read_text()) == result.model_dump()
    for model, other in ("mn", "nm"):
        trained = {f.name for f in (alone[model](0) / "models").iterdir()}
        assert trained == {model}, f"{other} was to stay as it was"
    per_node = sysgraph.load(root / "per-node" / "seed1" / "graph.yaml").fit
    assert (per_node.credit, per_node.seed) == ("node", 1)


def test_a_finished_study_is_read_and_a_larger_one_goes_on(
    graph: sysgraph.Graph, tmp_path: Path
) -> None:
    root = tmp_path / "study"
    first = run(graph, root, seeds=1)
    assert first.rows[0].score.half_width is None
    before = {f: f.stat().st_mtime_ns for f in root.rglob("*/seed0*/*") if f.is_file()}
    before |= {f: f.stat().st_mtime_ns for f in root.rglob("seed0.json")}
    assert len(before) > 10
    second = run(graph, root, seeds=2)
    assert {f: f.stat().st_mtime_ns for f in before} == before
    assert [row.seeds[0] for row in second.rows] == [row.seeds[0] for row in first.rows]
    assert all(len(row.seeds) == 2 for row in second.rows)

    changed = graph.model_copy(update={"fit": graph.fit.model_copy(update={"beta": 0.7})})
    with pytest.raises(InputError, match=r"fit\.beta was 0\.1, now is 0\.7"):
        run(changed, root)


@pytest.mark.parametrize("call", [2, 8, 15])
def test_an_interrupted_study_goes_on(graph: sysgraph.Graph, tmp_path: Path, call: int) -> None:
    """Stopped in an evaluation, while a round's pairs are collected, between two runs."""
    whole, root = run(graph, tmp_path / "whole", seeds=1), tmp_path / "stopped"
    calls = 0

    def interrupt(traces: Sequence[Trace]) -> list[float]:
        nonlocal calls
        calls += 1
        if calls == call:
            signal.raise_signal(signal.SIGINT)
        return count(traces)

    with pytest.raises(RunError, match="interrupted; the same study, started again, goes on"):
        run(graph, root, Scorer("count", interrupt, perfect=2), seeds=1)
    finished = {f: f.stat().st_mtime_ns for f in root.rglob("result.json")}
    assert run(graph, root, seeds=1) == whole
    assert {f: f.stat().st_mtime_ns for f in finished} == finished


def test_a_failed_training_leaves_the_others(graph: sysgraph.Graph, tmp_path: Path) -> None:
    """n always says a: no samples of it differ, so no run that trains it can succeed."""
    plain = json.loads(graph.model_dump_json(exclude_unset=True))
    plain["models"]["n"]["probs"] = [[1.0, 0.0, 0.0]]
    rows: list[str] = []
    result = sysgraph.study(
        sysgraph.load(json.dumps(plain)),
        output=tmp_path / "study",
        seeds=2,
        scorer=COUNT,
        reporter=Reporter(shown=False),
        on_row=lambda row: rows.append(row.name),
    )
    assert rows == ROWS
    failed = {row.name: row.failures for row in result.rows if row.failures}
    assert list(failed) == ["n alone", "separate", "per node", "joint"]
    assert failed["n alone"][1].startswith("n alone, seed 1: no step gave a gradient to n")
    assert failed["separate"] == [f"separate, seed {s}: not trained alone: n" for s in (0, 1)]
    assert result.rows[2].score.n == 2
    assert result.rows[3].score.model_dump() == {"mean": None, "half_width": None, "n": 0}
    assert json.loads((tmp_path / "study" / "study.json").read_text()) == result.model_dump()


def test_one_model_has_nothing_to_be_apart_from(graph: sysgraph.Graph, tmp_path: Path) -> None:
    plain = json.loads(graph.model_dump_json(exclude_unset=True))
    plain["models"]["n"]["train"] = "frozen"
    result = run(sysgraph.load(json.dumps(plain)), tmp_path / "study", seeds=1)
    assert [row.name for row in result.rows] == ["before", "best of 3", "joint"]


def test_what_a_study_needs_is_asked_for_first(graph: sysgraph.Graph, tmp_path: Path) -> None:
    def without(**fit: Any) -> sysgraph.Graph:
        return graph.model_copy(update={"fit": graph.fit.model_copy(update=fit)})

    quiet = Reporter(shown=False)
    with pytest.raises(InputError, match=r"set fit\.scorer"):
        sysgraph.study(graph, output=tmp_path / "study", reporter=quiet)
    with pytest.raises(InputError, match=r"set fit\.eval_inputs"):
        run(without(eval_inputs=None), tmp_path / "study")
    assert not (tmp_path / "study").exists()
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "mine.txt").write_text("mine")
    with pytest.raises(InputError, match="holds no study"):
        run(graph, tmp_path / "notes")
