"""A verifier that refuses wrong answers: its "no" is scored, and it learns when to say it."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

import sysgraph
from sysgraph import RunError, Scorer, System, Trace
from sysgraph.measuring.scorers.progression import LOWEST, progression
from sysgraph.support.progress import Reporter
from sysgraph.training.fitting import Run

RIGHT = "4"


def verifier(policy: str, **fit: Any) -> sysgraph.Graph:
    """An answer that a fixed model gives, right or wrong, and a verdict that lets it through."""
    return sysgraph.load(
        json.dumps(
            {
                "sysgraph": 1,
                "name": "verifier",
                "models": {
                    "writer": {"kind": "table", "values": [RIGHT, "5"], "train": "frozen"},
                    "judge": {
                        "kind": "table",
                        "values": ["pass 4", "pass 5", "no"],
                        "contexts": [RIGHT, "5"],
                        "probs": [[0.4, 0.2, 0.4], [0.2, 0.4, 0.4]],
                    },
                },
                "parsers": {"let": {"kind": "regex", "pattern": "pass (.)", "on_failure": policy}},
                "nodes": {
                    "question": {"kind": "input"},
                    "draft": {"kind": "lm", "model": "writer", "prompt": "{{ question }}"},
                    "verdict": {"kind": "lm", "model": "judge", "prompt": "{{ draft }}"},
                    "answer": {"kind": "parse", "parser": "let"},
                },
                "edges": ["question -> draft", "draft -> verdict", "verdict -> answer"],
                "outputs": ["answer"],
                "fit": fit,
            }
        )
    )


def score(traces: Sequence[Trace]) -> list[float]:
    """Right is 2, silent is 1, wrong is 0."""
    return [1.0 if t.abstains else 2.0 * (t.output() == RIGHT) for t in traces]


def learn(tmp_path: Path, policy: str) -> tuple[Run, Path]:
    rows = tmp_path / "questions.jsonl"
    rows.write_text("".join(json.dumps({"question": f"{i}"}) + "\n" for i in range(12)))
    quiet, scorer = Reporter(shown=False), Scorer("careful", score)
    settings = {"steps": 40, "learning_rate": 0.1, "batch_size": 8, "eval_fraction": 0}
    graph = verifier(policy, **settings)
    found = sysgraph.collect(graph, rows, output=tmp_path / "pairs", scorer=scorer, reporter=quiet)
    run = sysgraph.fit(graph, data=found.file, output=tmp_path / "run", reporter=quiet)
    return run, found.file


def says_no(run: Run, policy: str, draft: str) -> float:
    program = sysgraph.compile(verifier(policy))
    system = System(program, device="cpu", model_dir=run.folder)
    values = {"draft": sysgraph.Completion(draft), "verdict": sysgraph.Completion("no")}
    trace = Trace({"question": "0"}, values, program.outputs)
    return float(system.log_prob([trace])["verdict"].exp())


def test_a_verifier_learns_to_say_no_to_wrong_answers(tmp_path: Path) -> None:
    run, file = learn(tmp_path, "abstain")
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    assert {row["scores"][1] for row in rows} == {0.0, 1.0}
    silent = [row for row in rows if row["chosen"]["answer"] is None]
    assert silent
    assert all(row["scores"] == [1.0, 0.0] for row in silent)
    assert says_no(run, "abstain", "5") > 0.55
    assert says_no(run, "abstain", RIGHT) < 0.35


def test_what_is_rejected_always_loses(tmp_path: Path) -> None:
    run, file = learn(tmp_path, "reject")
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    assert all(row["chosen"]["answer"] is not None for row in rows)
    assert {row["scores"][1] for row in rows} == {0.0, None}
    assert says_no(run, "reject", "5") < 0.35


def test_scorers_that_need_what_is_missing() -> None:
    """A declared score for it; without one, the function is asked."""
    trace = Trace({"x": "x"}, {}, ("y",), frozenset("y"), {}, frozenset("y"), frozenset("y"))
    assert progression([trace]) == [LOWEST]
    assert progression.success is not None
    assert progression.success.of(trace) == 0
    assert Scorer("own", lambda traces: [0.7 for _ in traces])([trace]) == [0.7]
    with pytest.raises(RunError, match="scorer 'careless' raised KeyError: 'y'"):
        Scorer("careless", lambda traces: [len(t["y"]) for t in traces])([trace])
