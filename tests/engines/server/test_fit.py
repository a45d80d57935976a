"""`sysgraph fit` whose samples a server draws: rounds, a server that dies, and going on."""

import json
import shlex
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from ...cli.test_run import here
from .vllm_like import Vllm

SCORER = "def score(trace):\n    return float(sum(map(ord, trace.output())) % 97)\n"


def graph(folder: Path) -> dict[str, Any]:
    model = {"kind": "causal_lm", "id": str(folder), "max_new_tokens": 3}
    model |= {"sampler": {"server": "gpu"}, "lora": {"r": 4, "target_modules": ["q_proj"]}}
    fit = {"rounds": 2, "inputs": "in.jsonl", "samples": 3, "steps": 1, "batch_size": 4}
    return {
        "name": "two",
        "models": {"first": model, "second": model},
        "nodes": {
            "question": {"kind": "input"},
            "draft": {"kind": "lm", "model": "first", "prompt": "{{ question }}"},
            "answer": {"kind": "lm", "model": "second", "prompt": "{{ question }} {{ draft }}"},
        },
        "edges": ["question -> draft", "question, draft -> answer"],
        "outputs": ["answer"],
        "fit": {**fit, "learning_rate": 0.1, "eval_fraction": 0, "scorer": "attributes"},
    }


def weights(run: Path) -> dict[str, Tensor]:
    files = sorted((run / "models").glob("*/adapter_model.safetensors"))
    return {f"{f.parent.name} {k}": v for f in files for k, v in load_file(f).items()}


def test_a_run_goes_on_after_its_server_died(
    vllm: Vllm,
    chat_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("g.yaml").write_text(json.dumps(graph(chat_folder)))
    Path("score.py").write_text(SCORER)
    Path("in.jsonl").write_text("".join(json.dumps({"question": f"q{i}"}) + "\n" for i in range(2)))
    fit = ["fit", "g.yaml", "--scorer", "./score.py:score"]
    bound = ["--server", f"gpu={vllm.url}", "--adapters", str(tmp_path / "shared")]
    whole = here([*fit, *bound, "-o", "whole"], monkeypatch, capsys)
    assert whole.code == 0, whole.err
    assert whole.err.count("as it is here: over ") == 4, "two models, two rounds"
    first_round = len(vllm.asked) // 2
    assert {Path(b["lora_path"]).parents[2] for b in vllm.bodies("/v1/load_lora_adapter")} == {
        tmp_path / "shared"
    }

    monkeypatch.setenv("SYSGRAPH_CACHE", str(tmp_path / "other"))
    vllm.dies_after = len(vllm.asked) + first_round + 6
    stopped = here([*fit, *bound, "-o", "part"], monkeypatch, capsys)
    assert stopped.code == 1
    assert "does not answer" in stopped.err
    assert Path("part/state").is_dir()
    (line,) = [text for text in stopped.err.splitlines() if "sysgraph fit" in text]
    command = shlex.split(line.partition(": ")[2])
    assert command[-4:] == bound
    vllm.down = 0
    vllm.restart()
    done = here(command[1:], monkeypatch, capsys)
    assert done.code == 0, done.err
    for name in ("000", "001"):
        pairs = [Path(run, "rounds", name, "train.jsonl").read_text() for run in ("whole", "part")]
        assert pairs[0] == pairs[1]
    found, again = weights(Path("whole")), weights(Path("part"))
    assert all(torch.equal(value, again[name]) for name, value in found.items())


def test_no_command_that_draws_starts_without_an_address(
    chat_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("g.yaml").write_text(json.dumps(graph(chat_folder)))
    Path("in.jsonl").write_text('{"question": "what is zor fam hok ?"}\n')
    rows = ["--inputs", "in.jsonl"]
    for command in (
        ["fit", "g.yaml", "-o", "none"],
        ["run", "g.yaml", "--input", "question=x"],
        ["run", "g.yaml", *rows, "-o", "none"],
        ["collect", "g.yaml", *rows, "--scorer", "attributes", "-o", "none"],
        ["study", "g.yaml", "-o", "none"],
        ["eval", "g.yaml", *rows],
        ["serve", "g.yaml"],
    ):
        done = here(command, monkeypatch, capsys)
        assert done.code == 2, command
        assert "nothing says where: give --server gpu=http://HOST:PORT/v1, or set" in done.err
        assert not Path("none").exists()
