"""Models that learn nothing: named, with the reason, and no loss to those that learn."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import sysgraph
from sysgraph import RunError, Scorer
from sysgraph.support.progress import Reporter
from sysgraph.support.seeding import derive
from sysgraph.training.batches import batch_visits
from sysgraph.training.fitting import Run

from .test_failures import row, tables

Pairs = Callable[..., Path]
Told = tuple[Reporter, list[str]]


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Told:
    """A reporter, and the warnings that it is given."""
    warnings: list[str] = []
    reporter = Reporter(shown=False)
    monkeypatch.setattr(reporter, "line", lambda t: warnings.append(t) if "warning" in t else None)
    return reporter, warnings


def saved(run: Run) -> set[str]:
    return {folder.name for folder in (run.folder / "models").iterdir() if folder.is_dir()}


def test_a_model_that_no_pair_teaches(write_pairs: Pairs, tmp_path: Path, told: Told) -> None:
    """It is named before the first step and in the end; everything is saved."""
    reporter, warnings = told
    graph = tables(write_pairs([row("aa", "ba"), row("aa", "ba")]), {"m": {}, "n": {}})
    run = sysgraph.fit(graph, output=tmp_path / "run", reporter=reporter)
    first, last = warnings
    assert first.startswith("warning: no pair gives a gradient to n, which is to be trained: ")
    assert last.startswith("warning: n was to be trained, and no step gave it a gradient: ")
    for text in (first, last):
        assert "the sides of every pair agree on the values and prompts of its nodes (yn)" in text
    assert saved(run) == {"m", "n"}
    anchored = graph.model_copy(update={"fit": graph.fit.model_copy(update={"anchor": 0.1})})
    warnings.clear()
    sysgraph.fit(anchored, output=tmp_path / "anchored", reporter=reporter)
    assert warnings == []


def test_where_no_pair_teaches_anything_no_step_is_taken(
    write_pairs: Pairs, tmp_path: Path, quiet: Reporter
) -> None:
    graph = tables(write_pairs([row("aa", "aa")]), {"m": {}, "n": {}})
    with pytest.raises(RunError, match=r"no pair gives a gradient to m.*; no pair .* to n"):
        sysgraph.fit(graph, output=tmp_path / "run", reporter=quiet)
    assert not (tmp_path / "run" / "state").exists()


def test_a_model_whose_pairs_were_not_reached(
    write_pairs: Pairs, tmp_path: Path, told: Told
) -> None:
    """Only the second of two pairs would teach n, and one step takes only one pair."""
    reporter, warnings = told
    data = write_pairs([row("aa", "ba"), row("aa", "bb", x="y")])
    seed = next(s for s in range(100) if batch_visits(2, 1, 0, derive(s, 0)) == [0])
    graph = tables(data, {"m": {}, "n": {}}, steps=1, batch_size=1, seed=seed)
    run = sysgraph.fit(graph, output=tmp_path / "run", reporter=reporter)
    (said,) = warnings
    assert "no step gave it a gradient: some pairs would teach its nodes (yn), and no" in said
    assert saved(run) == {"m", "n"}


def two_nodes(models: dict[str, Any], nodes: dict[str, Any], edges: list[str], **fit: Any) -> Any:
    spec = {
        "sysgraph": 1,
        "name": "small",
        "models": {name: {"kind": "table", **model} for name, model in models.items()},
        "nodes": {"x": {"kind": "input"}, **nodes},
        "edges": edges,
        "outputs": ["answer"],
        "fit": {"steps": 2, "eval_fraction": 0, "batch_size": 2, **fit},
    }
    return sysgraph.load(json.dumps(spec))


def test_a_rare_expert(write_pairs: Pairs, tmp_path: Path, told: Told) -> None:
    """Data never took the route c, and always b: one model of three learns."""
    reporter, warnings = told
    lm = {"kind": "lm", "prompt": "{{ x }}"}
    graph = two_nodes(
        {n: {"values": v} for n, v in (("r", ["b", "c"]), ("m", ["u"]), ("rare", ["u"]))}
        | {n: {"values": ["u", "w"]} for n in ("m", "rare")},
        {
            "route": {"kind": "choice", "model": "r", "prompt": "{{ x }}", "options": ["b", "c"]},
            "b": {**lm, "model": "m", "when": {"route": "b"}},
            "c": {**lm, "model": "rare", "when": {"route": "c"}},
            "answer": {"kind": "select"},
        },
        ["x -> route", "x, route -> b, c", "b, c -> answer"],
    )
    data = write_pairs([({"x": "x"}, {"route": "b", "b": "u"}, {"route": "b", "b": "w"})])
    run = sysgraph.fit(graph, data=data, output=tmp_path / "run", reporter=reporter)
    assert saved(run) == {"r", "m", "rare"}
    assert any("to rare," in t and "no pair has a value of its nodes (c)" in t for t in warnings)
    assert any("to r," in t and "agree" in t for t in warnings)


def chain(**fit: Any) -> Any:
    lm = {"kind": "lm"}
    return two_nodes(
        {"d": {"values": ["u", "v"]}, "e": {"values": ["z", "w"], "contexts": ["u", "v"]}},
        {
            "draft": {**lm, "model": "d", "prompt": "{{ x }}"},
            "answer": {**lm, "model": "e", "prompt": "{{ draft }}"},
        },
        ["x -> draft", "draft -> answer"],
        **fit,
    )


def test_a_uniform_start(write_pairs: Pairs, tmp_path: Path, told: Told) -> None:
    """Every draft makes both answers equally likely: the upstream gradient is exactly 0."""
    reporter, warnings = told
    data = write_pairs([({"x": "x"}, {"answer": "z"}, {"answer": "w"})])
    graph = chain(sampling={"k": 2}, steps=1)
    sysgraph.fit(graph, data=data, output=tmp_path / "run", reporter=reporter)
    (said,) = warnings
    assert "d was to be trained" in said
    assert "its nodes (draft) are summed over" in said
    assert "a model that starts uniform" in said
    assert "agree" not in said


def test_one_draw(write_pairs: Pairs, tmp_path: Path, told: Told) -> None:
    reporter, warnings = told
    data = write_pairs([({"x": "x"}, {"answer": "z"}, {"answer": "w"})])
    graph = chain(sampling={"k": 1, "sampler": "ancestral"})
    sysgraph.fit(graph, data=data, output=tmp_path / "run", reporter=reporter)
    assert "are summed over one drawn value, which both sides share" in warnings[0]


def test_a_model_that_gets_gradient_but_does_not_change(
    two_stage: Callable[..., sysgraph.Graph], pairs: Path, tmp_path: Path, told: Told
) -> None:
    reporter, warnings = told
    graph = two_stage(
        models={"first": {"train": "full", "learning_rate": 1e-30}},
        dtype=torch.bfloat16,
        data=str(pairs),
    )
    run = sysgraph.fit(graph, output=tmp_path / "run", reporter=reporter)
    assert any("first got gradients but did not change" in text for text in warnings)
    assert saved(run) == {"first", "second"}


def test_a_run_that_changed_nothing_fails(
    write_pairs: Pairs, tmp_path: Path, quiet: Reporter
) -> None:
    lost = {"learning_rate": 1e-300, "probs": [[0.3, 0.7]]}
    graph = tables(write_pairs([row("a", "b", "m")]), {"m": lost})
    said = r"^nothing was learned\. m got gradients but did not change"
    with pytest.raises(RunError, match=said):
        sysgraph.fit(graph, output=tmp_path / "run", reporter=quiet)
    assert not (tmp_path / "run" / "models").exists()


def rounds(tmp_path: Path, **fit: Any) -> Any:
    inputs = tmp_path / "inputs.jsonl"
    inputs.write_text("".join(json.dumps({"x": f"{i}"}) + "\n" for i in range(5)))
    return chain(inputs=str(inputs), rounds=2, samples=3, observed=["draft", "answer"], **fit)


def test_rounds_without_pairs_say_that_scores_tied(tmp_path: Path, told: Told) -> None:
    reporter, warnings = told
    same = Scorer("same", lambda traces: [0.5] * len(traces))
    with pytest.raises(RunError, match=r"^nothing was learned\. .*: no round had a pair"):
        sysgraph.fit(rounds(tmp_path), output=tmp_path / "run", scorer=same, reporter=reporter)
    assert [text.partition(". ")[0] for text in warnings] == [
        f"warning: round {i}/2 has no pairs and takes no step: the 3 samples of each of 5 inputs "
        "tied (scores: 0.5)"
        for i in (1, 2)
    ]


def test_one_round_without_pairs_is_told(tmp_path: Path, told: Told) -> None:
    reporter, warnings = told
    calls = iter([True])

    def score(traces: Any) -> list[float]:
        first = next(calls, False)
        return [0.5 if first else float(trace["answer"] == "z") for trace in traces]

    graph = rounds(tmp_path)
    sysgraph.fit(graph, output=tmp_path / "run", scorer=Scorer("late", score), reporter=reporter)
    assert [text.split(" has")[0] for text in warnings if "round" in text] == ["warning: round 1/2"]
