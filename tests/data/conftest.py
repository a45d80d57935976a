"""Graphs whose files are read. No model of theirs is ever loaded."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import pytest

import sysgraph
from sysgraph import Program

HEAD = """
sysgraph: 1
name: g
models:
  a: {kind: table, values: [x]}
  b: {kind: table, values: [x]}
parsers:
  number: {kind: regex, pattern: "[0-9]+", on_failure: reject}
  items: {kind: split}
"""

GRAPHS = {
    "one": """
nodes:
  question: {kind: input}
  answer: {kind: lm, model: a, prompt: "{{ question }}"}
edges: [question -> answer]
outputs: [answer]
""",
    "two": """
nodes:
  question: {kind: input}
  draft: {kind: lm, model: a, prompt: "{{ question }}"}
  answer: {kind: lm, model: b, prompt: "{{ question }} {{ draft }}"}
edges: ["question -> draft", "question, draft -> answer"]
outputs: [answer]
""",
    "team": """
nodes:
  question: {kind: input}
  draft: {kind: lm, for_each: {agent: [a, b]}, model: "{{ agent }}", prompt: "{{ question }}"}
  n: {kind: parse, for_each: {agent: [a, b]}, parser: number}
  list: {kind: lm, model: a, prompt: "{{ n | join }}"}
  parts: {kind: parse, parser: items}
  answer: {kind: lm, model: b, prompt: "{{ parts | join }}"}
edges: ["question -> draft", "draft -> n", "n -> list", "list -> parts", "parts -> answer"]
outputs: [answer]
""",
}


@pytest.fixture(scope="session")
def program() -> Callable[[str], Program]:
    """A program by name: `one` and `two` texts, and a `team` with copies and parsers."""
    return lambda name: sysgraph.compile(sysgraph.load(HEAD + GRAPHS[name]))


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """`load_dataset` copies what it reads: not into the user's cache."""
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path_factory.mktemp("datasets"))


@pytest.fixture
def jsonl(tmp_path: Path) -> Callable[..., Path]:
    """Writes rows (or raw lines) as a JSON Lines file."""

    def write(*rows: Any, name: str = "pairs.jsonl") -> Path:
        path = tmp_path / name
        lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
        path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        return path

    return write


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real rows, which some machines have."""
    folder = Path(__file__).parents[3] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("no ../shared/data here")
    return folder


@pytest.fixture(scope="session")
def team(program: Callable[[str], Program]) -> Program:
    return program("team")


@pytest.fixture(scope="session")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file to write over and over: for tests that hypothesis repeats."""
    return tmp_path_factory.mktemp("scratch") / "pairs.jsonl"
