"""Latent values behind parsers: what is rejected carries its mass to no answer."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

import sysgraph
import sysgraph.traces.course
from sysgraph import Completion, RunError, System, Trace
from sysgraph.support.progress import Reporter
from sysgraph.traces.pair import Pair

from .conftest import World

DRAFTS = {"ok u": 0.25, "ok v": 0.15, "bad": 0.6}
ANSWERS = {"u": [0.3, 0.7], "v": [0.8, 0.2]}


def graph(**fit: Any) -> sysgraph.Graph:
    """x -> draft -> (regex, may reject) -> answer."""
    return sysgraph.load(
        json.dumps(
            {
                "sysgraph": 1,
                "name": "parsed",
                "models": {
                    "first": {
                        "kind": "table",
                        "values": list(DRAFTS),
                        "probs": [list(DRAFTS.values())],
                    },
                    "second": {
                        "kind": "table",
                        "values": ["yes", "no"],
                        "contexts": list(ANSWERS),
                        "probs": list(ANSWERS.values()),
                    },
                },
                "parsers": {
                    "number": {"kind": "regex", "pattern": "ok (.)", "on_failure": "reject"}
                },
                "nodes": {
                    "x": {"kind": "input"},
                    "draft": {"kind": "lm", "model": "first", "prompt": "{{ x }}"},
                    "read": {"kind": "parse", "parser": "number"},
                    "answer": {"kind": "lm", "model": "second", "prompt": "{{ read }}"},
                },
                "edges": ["x -> draft", "draft -> read", "read -> answer"],
                "outputs": ["answer"],
                "fit": {"steps": 2, "batch_size": 1, "eval_fraction": 0, **fit},
            }
        )
    )


def world(**fit: Any) -> World:
    return World(System(sysgraph.compile(graph(**fit)), device="cpu"))


def answers(world: World) -> Pair:
    return world.pair({"answer": "yes"}, {"answer": "no"})


def log_probs(found: World, pair: Pair) -> tuple[float, float, dict[str, float]]:
    means = found.step([pair])[1].means()
    return means.get("logps/chosen", 0.0), means.get("logps/rejected", 0.0), means


def test_a_rejected_draft_gives_no_answer() -> None:
    found = world(sampling={"k": 3})
    chosen, rejected, means = log_probs(found, answers(found))
    assert chosen == pytest.approx(torch.tensor(0.25 * 0.3 + 0.15 * 0.8).log().item())
    assert rejected == pytest.approx(torch.tensor(0.25 * 0.7 + 0.15 * 0.2).log().item())
    assert means["sampling/covered_mass"] == pytest.approx(1)
    assert means["sampling/distinct"] == 3


def test_an_answer_that_was_never_given_is_what_the_rejected_drafts_sum_to() -> None:
    """A collected failure, with `fit.observed: [answer]`."""
    found = world(sampling={"k": 3}, observed=["answer"])
    inputs, outputs = {"x": "x"}, ("answer",)
    sides = [
        sysgraph.traces.course.complete(found.program, Trace(inputs, values, outputs))
        for values in (
            {"draft": Completion("ok u"), "answer": Completion("yes")},
            {"draft": Completion("bad")},
        )
    ]
    chosen, rejected, _ = log_probs(found, Pair(*sides, "row"))
    assert chosen == pytest.approx(torch.tensor(0.25 * 0.3 + 0.15 * 0.8).log().item())
    assert rejected == pytest.approx(torch.tensor(0.6).log().item())


def test_an_output_that_only_a_parser_reads() -> None:
    """Data holds the parsed value: every text that parses to it counts, and no other."""
    found = world(sampling={"k": 3})
    program = found.program.model_copy(update={"outputs": ("read",)})
    system = System(program, device="cpu")
    sides = [Trace({"x": "x"}, {"read": value}, ("read",)) for value in "uv"]
    chosen, rejected, _ = log_probs(World(system), Pair(*sides, "row"))
    assert chosen == pytest.approx(torch.tensor(0.25).log().item())
    assert rejected == pytest.approx(torch.tensor(0.15).log().item())


def test_a_pair_whose_every_draft_is_rejected_is_skipped() -> None:
    found = world(sampling={"k": 1}, anchor=0.5)
    losses, totals, gradients = found.step([answers(found)])
    assert losses.tolist() == [0.0]
    assert all(not g.any() for g in gradients.values())
    assert totals.means()["sampling/skipped"] == 1
    assert totals.count("loss") == 0


def test_a_run_that_skips_every_pair_fails(tmp_path: Path) -> None:
    rows = tmp_path / "pairs.jsonl"
    row = {"inputs": {"x": "x"}, "chosen": {"answer": "yes"}, "rejected": {"answer": "no"}}
    rows.write_text(json.dumps(row) + "\n")
    quiet = Reporter(shown=False)
    settings = {"data": str(rows), "train": ["second"]}
    with pytest.raises(RunError, match="no pair could be learnt from: under every trajectory"):
        sysgraph.fit(graph(sampling={"k": 1}, **settings), output=tmp_path / "run", reporter=quiet)
    sysgraph.fit(graph(sampling={"k": 2}, **settings), output=tmp_path / "two", reporter=quiet)


def test_contrastive_chooses_among_those_that_can_give_the_answer() -> None:
    """u and v give the chosen answer 0.3 and 0.8; `bad` gives it none."""
    found = world(sampling={"sampler": "contrastive", "draws": 3})
    drawn = found.objective([answers(found)])._drawn[0]
    assert sorted(t.values["draft"].text for t in drawn) == ["ok u", "ok v"]
