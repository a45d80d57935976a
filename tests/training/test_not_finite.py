"""What is not finite is told with its pair, node and model, and never written as a number."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import sysgraph
from sysgraph import RunError, System
from sysgraph.support.progress import Reporter
from sysgraph.training.metrics import MetricsFile
from sysgraph.training.objective import Objective
from sysgraph.training.pairs import tabulate
from sysgraph.training.reference_cache import ReferenceCache
from sysgraph.training.workers import Workers

from .test_failures import row, tables

Pairs = Callable[..., Path]
CERTAIN = {"contexts": ["x", "z"], "probs": [[0.5, 0.5], [1.0, 0.0]]}
NAN = {"contexts": ["x", "z"]}


def objective(system: System, data: Path) -> Objective:
    made = Objective(
        system,
        Workers("no"),
        tabulate(system, sysgraph.load_pairs(system.program, data)),
        seed=0,
        remembered=ReferenceCache(system),
        reporter=Reporter(shown=False),
    )
    made.prepare(range(len(made.table)), "")
    made.draw(range(len(made.table)))
    return made


def spoilt(graph: sysgraph.Graph, model: str, context: int) -> System:
    """A system of which one row of one table is NaN, in the policy alone."""
    system = System(sysgraph.compile(graph), device="cpu")
    with torch.no_grad():
        system.parameters(model)["logits"][context] = math.nan
    return system


def test_a_step_names_the_pair_the_node_and_the_model(
    write_pairs: Pairs, tmp_path: Path, quiet: Reporter
) -> None:
    data = write_pairs([row("aa", "ba"), row("ab", "bb"), row("aa", "bb", x="z")])
    graph = tables(data, {"m": {"contexts": ["x", "z"]}, "n": CERTAIN}, batch_size=3)
    said = r"step 1 was not taken: loss nan.*: \S*:3: rejected\.yn: log p is -inf under model 'n'"
    with pytest.raises(RunError, match=said):
        sysgraph.fit(graph, output=tmp_path / "run", reporter=quiet)


@pytest.mark.parametrize("who", ["policy", "reference"])
def test_policy_and_reference_are_told_apart(write_pairs: Pairs, who: str) -> None:
    data = write_pairs([row("a", "b", "m"), row("a", "b", "m", "z")])
    system = spoilt(tables(data, {"m": NAN}), "m", 1)
    if who == "reference":
        weights = system.parameters("m")
        system.set_reference("m", {k: v.detach().clone() for k, v in weights.items()})
        with torch.no_grad():
            weights["logits"].zero_()
    found = objective(system, data).culprit([0, 1])
    assert f":2: chosen.ym: log p is nan under model 'm' ({who})" in found
    assert "learning_rate" in found


@pytest.mark.parametrize("rejected", ["z", "w"])
def test_a_drawn_trajectory_is_named(write_pairs: Pairs, rejected: str) -> None:
    """A table that is NaN after one draft; what it rules out is no culprit."""
    spec: dict[str, Any] = {
        "sysgraph": 1,
        "name": "chain",
        "models": {
            "d": {"kind": "table", "values": ["u", "v"]},
            "e": {
                "kind": "table",
                "values": ["z", "w", "never"],
                "contexts": ["u", "v"],
                "probs": [[0.5, 0.5, 0.0], [0.5, 0.5, 0.0]],
            },
        },
        "nodes": {
            "x": {"kind": "input"},
            "draft": {"kind": "lm", "model": "d", "prompt": "{{ x }}"},
            "answer": {"kind": "lm", "model": "e", "prompt": "{{ draft }}"},
        },
        "edges": ["x -> draft", "draft -> answer"],
        "outputs": ["answer"],
        "fit": {"sampling": {"k": 2}},
    }
    data = write_pairs([({"x": "x"}, {"answer": "z"}, {"answer": "never"})])
    system = System(sysgraph.compile(sysgraph.load(json.dumps(spec))), device="cpu")
    assert "each of which is finite alone" in objective(system, data).culprit([0])
    system = spoilt(sysgraph.load(json.dumps(spec)), "e", 1)
    found = objective(system, data).culprit([0])
    assert ":1: chosen.answer, with the drawn draft 'v': log p is nan under model 'e'" in found


def test_a_gradient_names_its_model_and_nodes(write_pairs: Pairs) -> None:
    data = write_pairs([row("aa", "ba"), row("aa", "ab", x="z")])
    graph = tables(data, {"m": {"contexts": ["x", "z"]}, "n": {"contexts": ["x", "z"]}})
    system = System(sysgraph.compile(graph), device="cpu")
    system.parameters("n")["logits"].register_hook(lambda slope: slope * math.inf)
    found = objective(system, data).culprit([0, 1])
    assert ":2: the gradient of model 'n' (yn) is not finite" in found


def held_out(graph: sysgraph.Graph, **changes: Any) -> sysgraph.Graph:
    fit = graph.fit.model_copy(update={"eval_fraction": 0.5, "eval_every": 1, **changes})
    return graph.model_copy(update={"fit": fit})


def test_held_out_pairs_fail_before_the_first_step(
    write_pairs: Pairs, tmp_path: Path, quiet: Reporter
) -> None:
    data = write_pairs([row("a", "b", "m")] * 2 + [row("a", "b", "m", "z")] * 2)
    for seed in range(20):  # until the input z is the one that is held out
        graph = held_out(tables(data, {"m": CERTAIN}), seed=seed)
        with pytest.raises(RunError) as caught:
            sysgraph.fit(graph, output=tmp_path / str(seed), reporter=quiet)
        if "held-out" in str(caught.value):
            break
    said = str(caught.value)
    assert said.startswith("no step was taken: the held-out loss is nan: ")
    assert ":3: rejected.ym: log p is -inf under model 'm' (policy and reference)" in said


def test_held_out_pairs_that_turn_bad_are_told_and_leave_the_best(
    write_pairs: Pairs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last evaluation is NaN: what was best before it is kept, and it is null in the file."""
    data = write_pairs([row("a", "b", "m", x) for x in "xyz"])
    graph = held_out(tables(data, {"m": {}}), steps=4)
    real, calls = Objective.losses, 0

    def losses(self: Objective, *args: Any, **kwargs: Any) -> Any:
        nonlocal calls
        values, totals = real(self, *args, **kwargs)
        if not torch.is_grad_enabled():
            calls += 1
            if calls == 5:  # after the fourth step
                totals.sums[totals.names.index("loss")] = math.nan
        return values, totals

    monkeypatch.setattr(Objective, "losses", losses)
    lines: list[str] = []
    reporter = Reporter(shown=False)
    monkeypatch.setattr(reporter, "line", lines.append)
    sysgraph.fit(graph, output=tmp_path / "run", reporter=reporter)
    assert any(
        "warning: step 4 is not kept as the best: the held-out loss is nan" in t for t in lines
    )
    assert any("step 3" in text for text in lines if not text.startswith("warning"))
    written = (tmp_path / "run" / "metrics.jsonl").read_text()
    found = [json.loads(line, parse_constant=pytest.fail) for line in written.splitlines()]
    assert [line["eval_loss"] is None for line in found if "eval_loss" in line] == [False] * 4 + [
        True
    ]


def test_metrics_are_json(tmp_path: Path) -> None:
    file = tmp_path / "metrics.jsonl"
    MetricsFile(file).write({"a": math.nan, "b": math.inf, "c": -math.inf, "d": 1 / 3, "e": 2})
    found = json.loads(file.read_text(), parse_constant=pytest.fail)
    assert found == {"a": None, "b": None, "c": None, "d": 0.333333, "e": 2}


def test_what_cannot_be_drawn_names_the_input_and_the_node(write_pairs: Pairs) -> None:
    data = write_pairs([row("aa", "ba")])
    system = spoilt(tables(data, {"m": {}, "n": NAN}), "n", 1)
    rows = [{"x": "x"}] * 70 + [{"x": "z"}]
    assert len(list(system.stream(rows[:70]))) == 2
    with pytest.raises(
        RunError, match=r"^yn: model 'n': its logits .* NaN.*; the inputs were x='z'"
    ):
        list(system.stream(rows))
