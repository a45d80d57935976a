"""Tiny checkpoints, graphs over them, preference files, and runs in processes of their own."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from torch import Tensor
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

import sysgraph
from sysgraph import Scorer
from sysgraph.support.progress import Reporter

QUESTIONS = ("what", "who", "when", "where", "why", "how", "which", "whose")
SCORER = """
import os, pathlib, time
from sysgraph import Scorer

def score(traces):
    pause()
    if "PROCESSES" in os.environ:
        pathlib.Path(os.environ["PROCESSES"], str(os.getpid())).touch()
    return [float(sum(map(ord, t.output())) % 97) for t in traces]

def pause():
    path, calls = os.environ.get("PAUSE_AT", ":").split(":")
    if path:
        file = pathlib.Path(path)
        file.write_text(file.read_text() + "x" if file.exists() else "x")
        while len(file.read_text()) >= int(calls):
            time.sleep(0.01)

scorer = Scorer("checksum", score)
"""


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Tiny models get slower by threads, many times so on a busy machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Callable[[torch.dtype], Path]:
    """The folder of a random one-layer Llama over bytes, of a type."""
    made: dict[torch.dtype, Path] = {}

    def folder(dtype: torch.dtype = torch.float32) -> Path:
        if dtype not in made:
            made[dtype] = tmp_path_factory.mktemp("llama")
            tokenizer().save_pretrained(made[dtype])
            _llama().to(dtype).save_pretrained(made[dtype])
        return made[dtype]

    return folder


def tokenizer() -> PreTrainedTokenizerFast:
    letters = ["<end>", *sorted(pre_tokenizers.ByteLevel.alphabet())]
    tokenizer = Tokenizer(models.BPE(vocab={t: i for i, t in enumerate(letters)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<end>", pad_token="<end>")


def _llama() -> LlamaForCausalLM:
    config = LlamaConfig(
        vocab_size=257,
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=128,
        tie_word_embeddings=False,
        bos_token_id=None,
        eos_token_id=0,
        pad_token_id=0,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return LlamaForCausalLM(config)


Build = Callable[..., sysgraph.Graph]


@pytest.fixture
def two_stage(checkpoint: Callable[..., Path]) -> Build:
    """question -> draft -> answer by two models on one tiny base; `fit` settings by name."""

    def build(
        *,
        models: Mapping[str, Any] | None = None,
        dtype: torch.dtype = torch.float32,
        **fit: Any,
    ) -> sysgraph.Graph:
        model = {"kind": "causal_lm", "id": str(checkpoint(dtype)), "max_new_tokens": 4}
        changes = models or {}
        settings = {"steps": 6, "batch_size": 4, "learning_rate": 1e-2, "eval_fraction": 0, **fit}
        graph = {
            "sysgraph": 1,
            "name": "two_stage",
            "models": {name: model | changes.get(name, {}) for name in ("first", "second")},
            "nodes": {
                "question": {"kind": "input"},
                "draft": {"kind": "lm", "model": "first", "prompt": "{{ question }}"},
                "answer": {"kind": "lm", "model": "second", "prompt": "{{ question }} {{ draft }}"},
            },
            "edges": ["question -> draft", "question, draft -> answer"],
            "outputs": ["answer"],
            "fit": settings,
        }
        return sysgraph.load(json.dumps(graph))

    return build


Side = Mapping[str, str]


@pytest.fixture
def write_pairs(tmp_path: Path) -> Callable[..., Path]:
    """A preference file of (inputs, chosen, rejected) rows."""

    def write(rows: Sequence[tuple[Side, Side, Side]], name: str = "pairs.jsonl") -> Path:
        keys = ("inputs", "chosen", "rejected")
        lines = [json.dumps(dict(zip(keys, row, strict=True))) + "\n" for row in rows]
        (tmp_path / name).write_text("".join(lines))
        return tmp_path / name

    return write


@pytest.fixture
def pairs(write_pairs: Callable[..., Path]) -> Path:
    """Eight rows for `two_stage`. In some, one of the two nodes cancels."""
    rows = []
    for i, question in enumerate(QUESTIONS):
        good, bad = f"d{i}", f"e{i}" if i % 4 else f"d{i}"
        worse = f"no {i}" if i % 3 or i == 0 else f"yes {i}"
        rows.append(
            (
                {"question": question},
                {"draft": good, "answer": f"yes {i}"},
                {"draft": bad, "answer": worse},
            )
        )
    return write_pairs(rows)


@pytest.fixture
def questions(tmp_path: Path) -> Path:
    """An inputs file."""
    file = tmp_path / "questions.jsonl"
    file.write_text("".join(json.dumps({"question": q}) + "\n" for q in QUESTIONS))
    return file


@pytest.fixture
def quiet() -> Reporter:
    return Reporter(shown=False)


@pytest.fixture
def plugin(tmp_path: Path) -> Path:
    """A folder for PYTHONPATH with an installed distribution that registers the scorer `checksum`.

    With PAUSE_AT=FILE:N in the environment it writes a letter to FILE per call, and stays in the
    N-th one. With PROCESSES=FOLDER each process that scores leaves a file there.
    """
    folder = tmp_path / "plugin"
    about = folder / "checksum-1.dist-info"
    about.mkdir(parents=True)
    (folder / "checksum_scorer.py").write_text(SCORER)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: checksum\nVersion: 1\n")
    (about / "entry_points.txt").write_text(
        "[sysgraph.scorers]\nchecksum = checksum_scorer:scorer\n"
    )
    return folder


@pytest.fixture
def checksum(plugin: Path, monkeypatch: pytest.MonkeyPatch) -> Scorer:
    """The plugin's scorer in this process."""
    monkeypatch.syspath_prepend(str(plugin))
    return sysgraph.find_scorer("checksum")


@dataclass(frozen=True)
class Process:
    """`sysgraph fit` running in a process of its own."""

    popen: subprocess.Popen[str]
    folder: Path

    def wait_for(self, reached: Callable[[], bool]) -> None:
        while not reached():
            assert self.popen.poll() is None, self.popen.communicate()
            time.sleep(0.002)

    def step(self) -> int:
        """The step of the saved state."""
        try:
            info = json.loads((self.folder / "state" / "info.json").read_text())
        except (FileNotFoundError, NotADirectoryError):  # between two renames
            return -1
        return info["round"] * 1000 + info.get("step", 0)

    def kill(self) -> None:
        self.popen.send_signal(signal.SIGKILL)
        self.popen.communicate()
        assert self.popen.returncode == -signal.SIGKILL
        assert not (self.folder / "result.json").exists()


@pytest.fixture
def start(tmp_path: Path, plugin: Path) -> Iterator[Callable[..., Process]]:
    """Starts `python -m sysgraph fit` on a graph."""
    started: list[subprocess.Popen[str]] = []

    def run(graph: sysgraph.Graph, folder: Path, *options: str, **environment: str) -> Process:
        file = tmp_path / "graph.yaml"
        file.write_text(sysgraph.dump(graph))
        command = [sys.executable, "-m", "sysgraph", "fit", str(file), "-o", str(folder), *options]
        popen = subprocess.Popen(
            command,
            env={**os.environ, **process_environment(plugin), **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(popen)
        return Process(popen, folder)

    yield run
    for popen in started:
        if popen.poll() is None:
            popen.kill()
            popen.communicate()


def process_environment(plugin: Path) -> dict[str, str]:
    """As many threads as here: sums in another order differ in their last bits."""
    return {
        "OMP_NUM_THREADS": str(torch.get_num_threads()),
        "PYTHONPATH": os.pathsep.join([str(plugin), *filter(None, sys.path)]),
        "HF_HUB_OFFLINE": "1",
    }


@pytest.fixture
def environment(plugin: Path) -> dict[str, str]:
    """Of a process that computes as this one does and finds the scorer `checksum`."""
    return {**os.environ, **process_environment(plugin)}


@pytest.fixture
def weights() -> Callable[[Path], dict[str, Tensor]]:
    """All tensors of a run's trained models."""

    def read(run: Path) -> dict[str, Tensor]:
        files = sorted((run / "models").rglob("*.safetensors"))
        return {
            f"{file.parent.name}/{name}": tensor
            for file in files
            for name, tensor in load_file(file).items()
        }

    return read


@pytest.fixture
def metrics() -> Callable[[Path], list[dict[str, Any]]]:
    """The lines of a run's metrics.jsonl."""

    def read(run: Path) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]

    return read
