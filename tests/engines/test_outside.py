"""A kind of model and a kind of node from a package: checked, compiled, drawn, sampled, trained."""

import copy
import json
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

HERE = Path(__file__).parent / "outside"
ENTRY_POINTS = """
[sysgraph.models]
letters = letters_schema:Letters
clock = letters_schema:Clock
absent = letters_schema:Absent
missing = no_such_module:Model
node = letters_schema:SpellNode
alias = letters_schema:Letters
table = no_such_module:Table

[sysgraph.nodes]
spell = letters_schema:SpellNode

[sysgraph.parsers]
initial = letters_schema:Initial

[sysgraph.readers]
initial = letters_schema:initial

[sysgraph.engines]
letters = letters_engine:LettersEngine
clock = letters_engine:ClockEngine
"""
GRAPH = {
    "sysgraph": 1,
    "name": "spelt",
    "models": {
        "writer": {"kind": "letters", "alphabet": "ab"},
        "judge": {"kind": "table", "values": ["yes", "no"]},
    },
    "nodes": {
        "question": {"kind": "input"},
        "draft": {"kind": "spell", "speller": "writer", "after": "{{ question }}"},
        "answer": {"kind": "lm", "model": "judge", "prompt": "{{ draft }}"},
    },
    "edges": ["question -> draft", "draft -> answer"],
    "outputs": ["answer"],
    "fit": {
        "steps": 20,
        "batch_size": 2,
        "learning_rate": 0.1,
        "lr_scheduler": "constant",
        "eval_fraction": 0,
    },
}
SCRIPT = """
import json, sys
import sysgraph
from sysgraph import GraphError

graph = json.load(open(sys.argv[1]))
found = {}
for kind in ("letters", "absent", "missing", "node", "alias", "unheard_of", "letter"):
    graph["models"]["writer"] = {"kind": kind, "alphabet": "ab"}
    try:
        sysgraph.load(json.dumps(graph))
        found[kind] = ""
    except GraphError as error:
        found[kind] = sysgraph.render(error.diagnostics)
graph["models"]["writer"] = {"kind": "letters", "alphabet": "ab", "alphabt": "c"}
try:
    sysgraph.load(json.dumps(graph))
except GraphError as error:
    found["typo"] = sysgraph.render(error.diagnostics)
print(json.dumps(found))
"""
PROGRAM = """
import json, sys
import sysgraph
from sysgraph_compiler.drawing import render
from sysgraph_compiler.emit.latex import emit_latex
from sysgraph_schemas.json_schema import FILE, as_text, file_schema

assert as_text(file_schema()) == FILE.read_text()  # that of the language itself
graph = sysgraph.load(open(sys.argv[1]).read())
assert sysgraph.load(sysgraph.dump(graph)) == graph
program = sysgraph.compile(graph)
for suffix in (".svg", ".mmd", ".html"):
    assert render(program, suffix)
assert "writer" in emit_latex(program)
assert sysgraph.Program.from_json(program.to_json()) == program
assert program.models["writer"].alphabet == "ab"
system = sysgraph.System(program, device="cpu")
traces = system.sample({"question": "?"}, n=200, seed=0)
values = system.log_prob(traces)["draft"]
lengths = [len(str(trace["draft"])) + 1 for trace in traces]
print(json.dumps({"text": str(program), "values": values.tolist(), "lengths": lengths}))
"""

PARSER = """
import json, sys
import sysgraph

graph = sysgraph.load(open(sys.argv[1]).read())
assert sysgraph.load(sysgraph.dump(graph)) == graph
program = sysgraph.compile(graph)
assert sysgraph.Program.from_json(program.to_json()) == program
traces = sysgraph.System(program, device="cpu").sample({"question": "?"}, n=60, seed=0)
found = [[str(t["draft"]), t.failed, {n: str(t[n]) for n in t.values}] for t in traces]
print(json.dumps(found))
"""

CLOCK = """
import json, sys
import sysgraph
from sysgraph_compiler import Observation

folder = sys.argv[1]
graph = sysgraph.load(open(folder + "/graph.yaml").read())
system = sysgraph.System(sysgraph.compile(graph), device="cpu")
traces = system.sample({"question": "?"})
try:
    system.log_prob(traces)
except sysgraph.InputError as error:
    scored = str(error)
found = sysgraph.check(graph, Observation(("draft", "answer")))
sysgraph.fit(graph, data=folder + "/pairs.jsonl", output=folder + "/run")
codes = [d.code for d in found]
print(json.dumps({"hint": str(traces[0]["hint"]), "scored": scored, "codes": codes}))
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a process for which the package is installed."""
    folder = tmp_path_factory.mktemp("site")
    about = folder / "letters-1.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: letters\nVersion: 1\n")
    (about / "entry_points.txt").write_text(ENTRY_POINTS)
    path = os.pathsep.join([str(folder), str(HERE), *filter(None, sys.path)])
    return {**os.environ, "PYTHONPATH": path, "HF_HUB_OFFLINE": "1", "COLUMNS": "200"}


@pytest.fixture
def graph(tmp_path: Path) -> Path:
    file = tmp_path / "graph.yaml"
    file.write_text(json.dumps(GRAPH))
    return file


def run(environment: dict[str, str], *command: str) -> str:
    done = subprocess.run(
        [sys.executable, *command], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_it_is_scored_and_sampled(installed: dict[str, str], graph: Path) -> None:
    found = json.loads(run(installed, "-c", PROGRAM, str(graph)))
    assert "writer: letters over ab (trained, logits; 1 term)" in found["text"]
    expected = [-length * math.log(3) for length in found["lengths"]]  # uniform over a, b, end
    torch.testing.assert_close(torch.tensor(found["values"]), torch.tensor(expected))
    assert 2.5 < sum(found["lengths"]) / 200 < 3.6  # geometric: 3


def test_its_parser_reads_a_choice(installed: dict[str, str], tmp_path: Path) -> None:
    graph: dict[str, Any] = copy.deepcopy(GRAPH)
    graph["parsers"] = {"first": {"kind": "initial", "among": "ab", "on_failure": "reject"}}
    graph["nodes"]["first"] = {"kind": "parse", "parser": "first"}
    graph["nodes"]["answer"]["when"] = {"first": "a"}
    graph["nodes"]["other"] = {**graph["nodes"]["answer"], "when": {"first": "b"}}
    graph["edges"] = ["question -> draft", "draft -> first", "draft, first -> answer, other"]
    graph["outputs"] = ["answer", "other"]
    (tmp_path / "graph.yaml").write_text(json.dumps(graph))
    found = json.loads(run(installed, "-c", PARSER, str(tmp_path / "graph.yaml")))
    for draft, failed, values in found:
        assert failed == (draft == "")
        assert values.get("first", "") == draft[:1]
        assert ("answer" in values, "other" in values) == (draft[:1] == "a", draft[:1] == "b")
    assert {draft[:1] for draft, _, _ in found} == {"", "a", "b"}


def test_it_is_trained_beside_others(
    installed: dict[str, str], graph: Path, tmp_path: Path
) -> None:
    data = tmp_path / "pairs.jsonl"
    rows = [("aab", "yes"), ("ba", "no"), ("a", "yes"), ("abb", "no")]
    data.write_text(
        "".join(
            json.dumps(
                {
                    "inputs": {"question": str(i)},
                    "chosen": {"draft": rows[2 * i][0], "answer": rows[2 * i][1]},
                    "rejected": {"draft": rows[2 * i + 1][0], "answer": rows[2 * i + 1][1]},
                }
            )
            + "\n"
            for i in range(2)
        )
    )
    out = tmp_path / "run"
    fit = ("-m", "sysgraph", "fit", str(graph), "--data", str(data), "-o", str(out))
    run(installed, *fit)
    trained = load_file(out / "models" / "writer" / "letters.safetensors")["logits"]
    torch.testing.assert_close(trained.cpu(), by_hand(20))


def test_what_has_no_likelihood_is_drawn_and_left_out_of_training(
    installed: dict[str, str], tmp_path: Path
) -> None:
    graph: dict[str, Any] = copy.deepcopy(GRAPH)
    graph["models"]["clock"] = {"kind": "clock"}
    graph["nodes"]["hint"] = {"kind": "lm", "model": "clock", "prompt": "{{ question }}"}
    graph["nodes"]["draft"]["after"] = "{{ question }} at {{ hint }}"
    graph["edges"] += ["question -> hint", "hint -> draft"]
    graph["fit"]["steps"] = 2
    (tmp_path / "graph.yaml").write_text(json.dumps(graph))
    sides = [{"hint": "noon", "draft": d, "answer": a} for d, a in (("aab", "yes"), ("b", "no"))]
    row = {"inputs": {"question": "?"}, "chosen": sides[0], "rejected": sides[1]}
    (tmp_path / "pairs.jsonl").write_text(json.dumps(row) + "\n")
    out = run(installed, "-c", CLOCK, str(tmp_path))
    assert json.loads(out.splitlines()[-1]) == {
        "hint": "noon",
        "scored": "trace 0: hint: clock models have no likelihood",
        "codes": ["SG807"],
    }
    assert (tmp_path / "run" / "models" / "writer" / "letters.safetensors").is_file()


def by_hand(steps: int) -> torch.Tensor:
    """Direct DPO on both pairs at once, in a few lines of torch."""
    counts = torch.tensor([[[2, 1, 1], [1, 1, 1]], [[1, 0, 1], [1, 2, 1]]]).float()  # a, b, end
    logits, judge = torch.zeros(3, requires_grad=True), torch.zeros(2, requires_grad=True)
    optimizer = torch.optim.AdamW([logits, judge], lr=0.1, weight_decay=0)
    for _ in range(steps):
        drafts = (counts[:, 0] - counts[:, 1]) @ logits.log_softmax(-1)
        drafts = drafts + (counts[:, 0] - counts[:, 1]).sum(-1) * math.log(3)
        answers = judge.log_softmax(-1)[0] - judge.log_softmax(-1)[1]
        loss = -torch.nn.functional.logsigmoid(0.1 * (drafts + answers)).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return logits.detach()


def test_a_broken_package_is_told_of_where_its_kind_is_named(
    installed: dict[str, str], graph: Path
) -> None:
    found = json.loads(run(installed, "-c", SCRIPT, str(graph)))
    assert found["letters"] == ""
    package = "is registered by the package 'letters' as"
    for kind, said in {
        "absent": "letters_schema:Absent, which cannot be loaded: AttributeError",
        "missing": "no_such_module:Model, which cannot be loaded: ModuleNotFoundError",
        "node": "letters_schema:SpellNode, which is no sysgraph_schemas.models.base.Model",
        "alias": "letters_schema:Letters, which calls itself 'letters'",
    }.items():
        assert f"error[SG104]: the kind `{kind}` of models {package} {said}" in found[kind], found[
            kind
        ]
    assert "unknown kind `unheard_of` of model" in found["unheard_of"]
    assert "did you mean `letters`?" in found["letter"]
    assert "alphabt" in found["typo"]
    assert "did you mean `alphabet`?" in found["typo"]
