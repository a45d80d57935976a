"""A server of the test's own, and systems whose models it samples."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sysgraph import Servers, System
from sysgraph.support.progress import Reporter

from ..conftest import several_nodes_program
from .vllm_like import Vllm, serving

GPU = {"server": "gpu"}
LORA = {"r": 4, "target_modules": ["q_proj", "down_proj"]}


class Told(Reporter):
    """Keeps what it is told."""

    def __init__(self) -> None:
        super().__init__(shown=False)
        self.lines: list[str] = []

    def line(self, text: str) -> None:
        self.lines.append(text)


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [n for n in os.environ if n.startswith(("SYSGRAPH_", "OPENAI_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("SYSGRAPH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("sysgraph.engines.server.site._WAITS", (0.001, 0.002, 0.003, 0.004))


@pytest.fixture
def vllm(chat_folder: Path) -> Iterator[Vllm]:
    with serving(chat_folder) as server:
        yield server


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def build(vllm: Vllm, chat_folder: Path, told: Told) -> Callable[..., System]:
    """A system of one node per model, on the server's checkpoint; keys by model over the usual."""

    def system(**models: dict[str, Any]) -> System:
        usual = {"id": str(chat_folder), "max_new_tokens": 6, "sampler": GPU, "lora": LORA}
        specs = {name: {**usual, **keys} for name, keys in models.items()}
        nodes = {
            f"by_{name}": {
                "model": name,
                "messages": [{"role": "user", "content": "{{ question }}"}],
            }
            for name in models
        }
        program = several_nodes_program(specs, nodes)
        named = any(spec["sampler"] for spec in specs.values())
        servers = Servers({"gpu": vllm.url} if named else {})
        found = System(program, device="cpu", servers=servers)
        found.tell(told)
        return found

    return system
