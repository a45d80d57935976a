"""A study's rows, against means made by hand."""

import json
import statistics
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

import sysgraph
from sysgraph import InputError, Scorer

from .conftest import INPUTS, Build, Finished, answers, mean, mean_share, run

ROWS = ["before", "best of 3", "m alone", "n alone", "separate", "per node", "joint"]

Folders = Callable[[int], Sequence[Path]]


def by_hand(graph: sysgraph.Graph, folders: Folders, n: int = 1) -> dict[str, Any]:
    """Mean, interval and share of perfect answers over two seeds, from samples alone."""
    scores, perfect = [], []
    for seed in range(2):
        found = answers(graph, seed, folders(seed), n)
        best = [max(text.count("a") for text in texts) for texts in found]
        scores.append(statistics.fmean(best))
        perfect.append(statistics.fmean(score == 2 for score in best))
    return {"score": mean(scores), "perfect": mean_share(perfect, len(INPUTS))}


def test_rows_are_the_means_of_what_they_say(twins: Build, tmp_path: Path) -> None:
    graph, root = twins(), tmp_path / "a study"
    result = run(graph, root, seeds=2)
    assert [row.name for row in result.rows] == ROWS
    assert not [failure for row in result.rows for failure in row.failures]
    alone = {model: lambda s, m=model: root / f"{m}-alone" / f"seed{s}" for model in "mn"}
    expected = {
        "before": by_hand(graph, lambda s: []),
        "best of 3": by_hand(graph, lambda s: [], n=3),
        "m alone": by_hand(graph, lambda s: [alone["m"](s)]),
        "n alone": by_hand(graph, lambda s: [alone["n"](s)]),
        "separate": by_hand(graph, lambda s: [alone["m"](s), alone["n"](s)]),
        "per node": by_hand(graph, lambda s: [root / "per-node" / f"seed{s}"]),
        "joint": by_hand(graph, lambda s: [root / "joint" / f"seed{s}"]),
    }
    for row in result.rows:
        assert row.perfect is not None
        found = {"score": row.score.model_dump(), "perfect": row.perfect.model_dump()}
        assert found == expected[row.name], row.name
        assert len(row.seeds) == 2
    score = {row.name: row.score.mean or 0 for row in result.rows}
    assert score["joint"] > score["m alone"] > score["before"]
    assert score["separate"] > max(score["m alone"], score["n alone"])
    assert json.loads((root / "study.json").read_text()) == result.model_dump()
    for model, other in ("mn", "nm"):
        trained = {f.name for f in (alone[model](0) / "models").glob("*/")}
        assert trained == {model}, f"{other} was to stay as it was"
    per_node = sysgraph.load(root / "per-node" / "seed1" / "graph.yaml").fit
    assert (per_node.credit, per_node.seed) == ("node", 1)


def test_a_row_measures_what_its_run_found(trainings: Finished) -> None:
    """Answers are drawn as `fit` draws them: the run's own evaluation is the row's."""
    for seed, found in enumerate(trainings.row("joint").seeds):
        result = json.loads((trainings.root / "joint" / f"seed{seed}" / "result.json").read_text())
        assert found.evaluation.model_dump() == result["after"]


@pytest.mark.parametrize("row", ["best of 3", "joint"])
def test_win_rates(row: str, trainings: Finished) -> None:
    """By hand: a beats b and c, which tie; the reference b is there for four questions of six."""
    graph, found = trainings.graph, trainings.row(row)

    def points(texts: Sequence[str], others: Sequence[str]) -> float:
        pairs = list(zip(texts, others, strict=True))
        return statistics.fmean(0.5 + ((a == "a") - (b == "a")) / 2 for a, b in pairs)

    against: dict[str, list[float]] = {"reference": [], "before": []}
    for seed in range(2):
        folders = [trainings.root / "joint" / f"seed{seed}"] if row == "joint" else []
        several = answers(graph, seed, folders, n=3 if row == "best of 3" else 1)
        best = [max(texts, key=lambda text: text.count("a")) for texts in several]
        before = [text for (text,) in answers(graph, seed)]
        against["reference"].append(points(best[:4], ["b"] * 4))
        against["before"].append(points(best, before))
    for name, expected in against.items():
        assert getattr(found, f"against_{name}").model_dump() == mean_share(
            expected, 6 if name == "before" else 4
        )
    assert min(against["before"]) > 0.5, "neither row is the untrained system's"
    assert trainings.row("before").against_before is None
    rate = found.seeds[0].against_reference
    assert rate is not None
    assert rate.wins + rate.ties + rate.losses == 4


def test_without_reference_answers_there_is_no_win_rate_against_them(
    twins: Build, inputs: Path, tmp_path: Path
) -> None:
    inputs.write_text("".join(json.dumps({"x": x}) + "\n" for x in INPUTS))
    rows = run(twins(), tmp_path / "study").rows
    assert {row.against_reference for row in rows} == {None}
    assert rows[-1].against_before is not None


def test_another_judge_decides_without_training_again(chain: Build, tmp_path: Path) -> None:
    root = tmp_path / "study"
    run(chain(), root)
    runs = {f: f.stat().st_mtime_ns for f in root.rglob("seed0/*") if f.is_file()}
    likes_b = Scorer("likes b", lambda traces: [float(t.output() == "b") for t in traces])
    judged = run(chain(), root, judge=likes_b)
    assert {f: f.stat().st_mtime_ns for f in runs} == runs
    assert (judged.scorer, judged.judge) == ("count", "likes b")
    for row in judged.rows:
        (seed,) = row.seeds
        assert seed.against_reference is not None
        assert seed.against_reference.judge == "likes b"
        assert seed.against_reference.wins == 0, "no answer is better than the reference, b"


def test_a_failed_training_leaves_the_others(twins: Build, tmp_path: Path) -> None:
    """n always says a: no samples of it differ, so a run that trains nothing else fails."""
    plain = json.loads(twins().model_dump_json(exclude_unset=True))
    plain["models"]["n"]["probs"] = [[1.0, 0.0, 0.0]]
    rows: list[str] = []
    graph, root = sysgraph.load(json.dumps(plain)), tmp_path / "study"
    result = run(graph, root, seeds=2, on_row=lambda row: rows.append(row.name))
    assert rows == ROWS
    failed = {row.name: row.failures for row in result.rows if row.failures}
    assert list(failed) == ["n alone", "separate"], "in the others, m learns"
    assert "seed 1: nothing was learned. n was to be trained, and no step" in failed["n alone"][1]
    assert failed["separate"] == [f"separate, seed {s}: not trained alone: n" for s in (0, 1)]
    assert result.rows[2].score.n == 2
    none = {"mean": None, "low": None, "high": None, "n": 0}
    assert result.rows[3].score.model_dump() == none
    assert result.rows[3].perfect is not None
    assert json.loads((root / "study.json").read_text()) == result.model_dump()


def test_one_model_has_nothing_to_be_apart_from(twins: Build, tmp_path: Path) -> None:
    plain = json.loads(twins().model_dump_json(exclude_unset=True))
    plain["models"]["n"]["train"] = "frozen"
    result = run(sysgraph.load(json.dumps(plain)), tmp_path / "study")
    assert [row.name for row in result.rows] == ["before", "best of 3", "joint"]


def test_what_a_study_needs_is_asked_for_first(twins: Build, tmp_path: Path) -> None:
    root = tmp_path / "study"
    with pytest.raises(InputError, match=r"set fit\.scorer"):
        run(twins(), root, scorer=None)
    with pytest.raises(InputError, match=r"set fit\.eval_inputs"):
        run(twins(eval_inputs=None), root)
    with pytest.raises(InputError, match="no samplers to compare: every value is observed"):
        run(twins(), root, compare="samplers")
    assert not root.exists()
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "mine.txt").write_text("mine")
    with pytest.raises(InputError, match="holds no study"):
        run(twins(), tmp_path / "notes")
