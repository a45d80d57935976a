"""Runs whose tools read files: what they learned is told from anywhere."""

import json
from pathlib import Path

import pytest

import sysgraph

GRAPH = """
name: rag
models: {m: {kind: table, values: ["a red cup", "a blue hat"]}}
nodes:
  question: {kind: input}
  found:
    kind: tool
    tool: retrieve
    args: {query: question}
    settings: {corpus: notes.jsonl, top_k: 1}
    returns: list
  answer: {kind: lm, model: m, prompt: "{{ found | join }} {{ question }}"}
edges: [question -> found, "found, question -> answer"]
outputs: [answer]
fit: {steps: 2, learning_rate: 0.1, eval_fraction: 0}
"""


def test_credit_from_another_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "rag.yaml").write_text(GRAPH)
    notes = [{"id": i, "text": text} for i, text in enumerate(["a red cup", "a blue hat"])]
    (home / "notes.jsonl").write_text("".join(json.dumps(note) + "\n" for note in notes))
    sides = {"chosen": {"answer": "a red cup"}, "rejected": {"answer": "a blue hat"}}
    rows = home / "pairs.jsonl"
    rows.write_text(json.dumps({"inputs": {"question": "the cup ?"}, **sides}) + "\n")
    run = sysgraph.fit(home / "rag.yaml", data=str(rows), output=tmp_path / "run")
    monkeypatch.chdir(tmp_path)
    credit = run.credit()
    assert [one.share for one in credit.nodes] == [1.0]
    assert credit.margin.mean is not None
    assert credit.margin.mean > 0
