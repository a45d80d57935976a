"""Hosted models at a local server, and nothing of the machine's own environment."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import sysgraph
from sysgraph import System

GRAPH = """
sysgraph: 1
name: hosted
models:
  ada: {kind: endpoint, id: org/ada, max_new_tokens: 9, temperature: 0.5}
  bo: {kind: endpoint, id: bo}
  judge: {kind: table, values: ["yes", "no"]}
nodes:
  question: {kind: input}
  draft:
    kind: lm
    model: ada
    messages: [{role: system, content: Be short.}, {role: user, content: "{{ question }}"}]
  hint: {kind: lm, model: bo, prompt: "{{ question }} is"}
  answer: {kind: lm, model: judge, prompt: "{{ draft }} {{ hint }}"}
edges: ["question -> draft, hint", "draft, hint -> answer"]
outputs: [answer]
fit: {steps: 2, batch_size: 2, eval_fraction: 0}
"""


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [n for n in os.environ if n.startswith(("SYSGRAPH_", "OPENAI_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("SYSGRAPH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("sysgraph.engines.endpoint.served._PAUSE", 0.001)


@pytest.fixture
def graph(tmp_path: Path) -> Path:
    file = tmp_path / "g.yaml"
    file.write_text(GRAPH)
    return file


@pytest.fixture
def build() -> Callable[..., System]:
    def system(**endpoints: str) -> System:
        given: dict[str, Any] = {"": endpoints.pop("url"), **endpoints} if endpoints else {}
        return System(sysgraph.compile(sysgraph.load(GRAPH)), device="cpu", endpoints=given)

    return system
