"""A run of a system with every kind of model, as training leaves one, and its export."""

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoTokenizer, BertConfig, BertForSequenceClassification

import sysgraph
from sysgraph.cli import main
from sysgraph.system import System
from sysgraph.training.folder import RunFolder

from ..engines.conftest import chat_folder as chat_folder
from ..engines.diffusion.folders import save_sd

OPTIONS = ["math", "code"]


@pytest.fixture(scope="session")
def classifier_folder(chat_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT without a head: the adapter brings one."""
    folder = tmp_path_factory.mktemp("checkpoints") / "reader"
    tokenizer = AutoTokenizer.from_pretrained(chat_folder)
    tokenizer.save_pretrained(folder)
    size = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1}
    config = BertConfig(
        vocab_size=len(tokenizer),
        max_position_embeddings=64,
        num_attention_heads=2,
        id2label=dict(enumerate(OPTIONS)),
        label2id={label: i for i, label in enumerate(OPTIONS)},
        **size,
    )
    torch.manual_seed(3)
    BertForSequenceClassification(config).bert.save_pretrained(folder)
    BertForSequenceClassification(config).config.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def folders(
    chat_folder: Path, classifier_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    """The checkpoints of `GRAPH`'s bases."""
    painter = save_sd(tmp_path_factory.mktemp("checkpoints") / "painter")
    return {"chat": chat_folder, "reader": classifier_folder, "painter": painter}


ASKED = {
    "draft": {"kind": "lm", "model": "ada"},
    "rival": {"kind": "lm", "model": "bo"},
    "plain": {"kind": "lm", "model": "cy"},
    "route": {"kind": "choice", "model": "reader", "options": OPTIONS},
    "picture": {"kind": "diffusion", "model": "painter"},
    "answer": {"kind": "lm", "model": "table"},
}


def graph_of(
    folders: dict[str, Path], nodes: Iterable[str] = tuple(ASKED), **models: Any
) -> sysgraph.Graph:
    """Nodes that each see `question` alone; more settings of models by name."""
    lm = {"kind": "causal_lm", "id": str(folders["chat"]), "max_new_tokens": 6}
    said: dict[str, dict[str, Any]] = {
        "ada": {**lm, "lora": {"r": 2}},
        "bo": {**lm, "lora": {"r": 3, "target_modules": ["q_proj", "down_proj"]}},
        "cy": {**lm, "train": "frozen"},
        "reader": {"kind": "classifier", "id": str(folders["reader"]), "learning_rate": 1e-3},
        "painter": {"kind": "diffusion", "id": str(folders["painter"]), "inference_steps": 4},
        "table": {"kind": "table", "values": ["yes", "no", "maybe"]},
    }
    asked = {node: {**ASKED[node], "prompt": "{{ question }}"} for node in nodes}
    used = [str(ASKED[node]["model"]) for node in nodes]
    graph = {
        "name": "all kinds",
        "models": {name: {**said[name], **models.get(name, {})} for name in used},
        "nodes": {"question": {"kind": "input"}, **asked},
        "edges": [f"question -> {', '.join(asked)}"],
        "outputs": [*asked],
    }
    return sysgraph.load(json.dumps(graph, indent=1))


def run_of(graph: sysgraph.Graph, root: Path) -> System:
    """Writes the folder of a finished run, with noise for training; its system."""
    program = sysgraph.compile(graph)
    system = System(program, device="cpu")
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for model in system.trained():
            for parameter in system.parameters(model).values():
                noise = torch.randn(parameter.shape, generator=generator)
                parameter.add_(noise.to(parameter.dtype) * 0.2)
    folder = RunFolder(root)
    root.mkdir()
    folder.start(graph, program)
    folder.save_models(system)
    estimate = {"mean": 0.25, "low": 0.2, "high": 0.3, "count": 8}
    score = {"scorer": "exact", "score": estimate}
    result = {"before": score, "after": {**score, "score": {**estimate, "mean": 0.75}}}
    folder.result.write_text(json.dumps(result))
    return system


@pytest.fixture(scope="session")
def ran(folders: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, System]:
    """The run's folder, and its system."""
    root = tmp_path_factory.mktemp("runs") / "run"
    return root, run_of(graph_of(folders), root)


Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """The command line in this process: exit code, output, errors."""

    def call(*arguments: str | Path) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["sysgraph", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            main()
        return int(end.value.code or 0), *capsys.readouterr()

    return call
