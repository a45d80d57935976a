"""The rows of `--cut-loops`: the same system with each loop run once, against samples by hand."""

import json
from pathlib import Path
from typing import Any

import pytest

import sysgraph
from sysgraph import InputError

from .conftest import INPUTS, VALUES, answers, run, write_inputs

FIT = {"rounds": 1, "samples": 3, "steps": 5, "batch_size": 4, "learning_rate": 0.5}


def refine(inputs: Path, **changes: Any) -> sysgraph.Graph:
    """A draft that says a, b or c, and is written again until a critic finds it ok."""
    spec = {
        "name": "refine",
        "models": {
            "writer": {"kind": "table", "values": VALUES, "contexts": [*INPUTS, *VALUES]},
            "critic": {
                "kind": "table",
                "values": ["ok", "bad"],
                "contexts": VALUES,
                "train": "frozen",
            },
        },
        "nodes": {
            "x": {"kind": "input"},
            "draft": {
                "kind": "lm",
                "model": "writer",
                "prompt": "{% if round > 1 %}{{ draft }}{% else %}{{ x }}{% endif %}",
            },
            "verdict": {
                "kind": "choice",
                "model": "critic",
                "prompt": "{{ draft }}",
                "options": ["ok", "bad"],
            },
        },
        "edges": ["x -> draft", "draft -> verdict"],
        "loops": {
            "refine": {
                "repeat": 3,
                "until": {"verdict": "ok"},
                "nodes": ["draft", "verdict"],
                "carry": ["draft -> draft"],
            }
        },
        "outputs": ["draft"],
        "fit": {"inputs": str(inputs), "eval_inputs": str(inputs), "eval_fraction": 0, **FIT},
    }
    return sysgraph.load(json.dumps(spec | changes))


def test_the_cut_system_is_measured_and_trained_beside_the_whole_one(tmp_path: Path) -> None:
    graph, root = refine(write_inputs(tmp_path)), tmp_path / "study"
    result = run(graph, root, cut_loops=True)
    rows = {row.name: row for row in result.rows}
    assert [*rows][-3:] == ["joint", "cut", "cut joint"]
    assert not [failure for row in result.rows for failure in row.failures]
    turn = {"repeat": 1, "nodes": ["draft", "verdict"], "carry": ["draft -> draft"]}
    single = refine(tmp_path / "inputs.jsonl", loops={"refine": turn})
    for name, folders in (("cut", []), ("cut joint", [root / "cut-joint" / "seed0"])):
        found = [text.count("a") for texts in answers(single, 0, folders) for text in texts]
        assert rows[name].score.mean == pytest.approx(sum(found) / len(found)), name
    against = rows["cut"].against_before
    assert against is not None
    assert 0 <= against.mean <= 1
    again = run(graph, root, cut_loops=True)
    assert again == result  # what is there is read


def test_what_has_no_loop_cannot_be_cut(tmp_path: Path) -> None:
    inputs = write_inputs(tmp_path)
    graph = refine(inputs)
    turn = {"repeat": 1, "nodes": ["draft", "verdict"], "carry": ["draft -> draft"]}
    with pytest.raises(InputError, match="no loop with `repeat`"):
        run(refine(inputs, loops={"refine": turn}), tmp_path / "study", cut_loops=True)
    row = {"inputs": {"x": "x0"}, "chosen": {"draft": ["a", "b", None]}}
    row["chosen"] |= {"verdict": ["bad", "ok", None]}
    pairs = tmp_path / "pairs.jsonl"
    pairs.write_text(json.dumps({**row, "rejected": row["chosen"]}) + "\n")
    fit = {**graph.fit.model_dump(exclude_unset=True), "data": str(pairs)}
    fit = {key: value for key, value in fit.items() if key not in ("rounds", "inputs", "samples")}
    held = graph.model_copy(update={"fit": sysgraph.Fit.model_validate(fit)})
    with pytest.raises(InputError, match="holds values of turns"):
        run(held, tmp_path / "study", cut_loops=True)
    assert not (tmp_path / "study").exists()
