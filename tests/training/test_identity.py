"""Weights, states and pairs are used only with what they were made of, and only if whole."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

import sysgraph
from sysgraph import InputError, Scorer, System
from sysgraph.support.progress import Reporter

from .test_checkpoint import damage
from .test_resume import Interrupting

Graph = sysgraph.Graph


def change_weights(checkpoint: Path) -> None:
    """Other values of the same shapes."""
    file = checkpoint / "model.safetensors"
    tensors = {name: tensor * 1.01 for name, tensor in load_file(file).items()}
    save_file(tensors, file, metadata={"format": "pt"})


@pytest.fixture
def base(checkpoint: Callable[..., Path], tmp_path: Path) -> Path:
    """A checkpoint of the test's own."""
    shutil.copytree(checkpoint(), tmp_path / "base")
    return tmp_path / "base"


@pytest.fixture
def graph(two_stage: Callable[..., Graph], base: Path, pairs: Path) -> Graph:
    models = {"first": {"id": str(base)}, "second": {"train": "full"}}
    return two_stage(models=models, data=str(pairs), steps=7)


def stopped(graph: Graph, folder: Path) -> None:
    """A run in `folder` that ended after its fifth step."""
    with pytest.raises(sysgraph.RunError, match="interrupted"):
        sysgraph.fit(graph, output=folder, reporter=Interrupting(shown=False))


def refused(graph: Graph, folder: Path, said: str) -> None:
    before = {f: f.read_bytes() for f in folder.rglob("[!.]*") if f.is_file()}
    with pytest.raises(InputError, match=said) as raised:
        sysgraph.fit(graph, output=folder, resume=True, reporter=Reporter(shown=False))
    assert len(str(raised.value)) < 1500
    assert {f: f.read_bytes() for f in folder.rglob("[!.]*") if f.is_file()} == before


def test_another_base(graph: Graph, base: Path, tmp_path: Path, quiet: Reporter) -> None:
    stopped(graph, tmp_path / "run")
    change_weights(base)
    refused(graph, tmp_path / "run", r"other weights of model 'first' \(causal_lm, id .*base\)")


def test_another_base_under_trained_models(
    graph: Graph, base: Path, tmp_path: Path, quiet: Reporter
) -> None:
    sysgraph.fit(graph, output=tmp_path / "run", reporter=quiet)
    program = sysgraph.compile(graph)
    System(program, device="cpu", model_dir=tmp_path / "run")
    change_weights(base)
    with pytest.raises(
        InputError,
        match=r"model 'first': .* has other weights than they were",
    ):
        System(program, device="cpu", model_dir=tmp_path / "run")


def test_the_state_of_another_run(graph: Graph, tmp_path: Path) -> None:
    other = graph.model_copy(update={"fit": graph.fit.model_copy(update={"beta": 5.0})})
    for name, one in (("run", graph), ("other", other)):
        stopped(one, tmp_path / name)
    shutil.rmtree(tmp_path / "run" / "state")
    shutil.copytree(tmp_path / "other" / "state", tmp_path / "run" / "state")
    refused(graph, tmp_path / "run", r"state of a run with other settings: fit.beta was 5.0, now")


def test_models_that_were_swapped(graph: Graph, tmp_path: Path, quiet: Reporter) -> None:
    sysgraph.fit(graph, output=tmp_path / "run", reporter=quiet)
    models = tmp_path / "run" / "models"
    (models / "first").rename(models / "x")
    (models / "second").rename(models / "first")
    with pytest.raises(InputError, match=r"models is damaged: first/adapter_config\.json is "):
        System(sysgraph.compile(graph), device="cpu", model_dir=tmp_path / "run")


@pytest.mark.parametrize("how", ["flipped", "cut", "empty"])
@pytest.mark.parametrize("file", ["models/first/adapter_model.safetensors", "models/manifest.json"])
def test_damaged_models(graph: Graph, tmp_path: Path, quiet: Reporter, file: str, how: str) -> None:
    sysgraph.fit(graph, output=tmp_path / "run", reporter=quiet)
    damage(tmp_path / "run" / file, how)
    with pytest.raises(InputError, match=r"is damaged: .*; put it back as it was, or train again"):
        System(sysgraph.compile(graph), device="cpu", model_dir=tmp_path / "run")


@pytest.mark.parametrize("how", ["flipped", "cut", "empty"])
def test_damaged_metrics(
    two_stage: Callable[..., Graph], pairs: Path, tmp_path: Path, how: str
) -> None:
    graph = two_stage(data=str(pairs), steps=7, log_every=1)
    stopped(graph, tmp_path / "run")
    damage(tmp_path / "run" / "metrics.jsonl", how)
    refused(graph, tmp_path / "run", r"metrics\.jsonl is damaged")


@pytest.mark.parametrize("how", ["flipped", "cut", "empty", "another run's"])
def test_damaged_pairs(
    two_stage: Callable[..., Graph],
    questions: Path,
    checksum: Scorer,
    start: Callable[..., Any],
    tmp_path: Path,
    how: str,
) -> None:
    fit = {"inputs": str(questions), "scorer": "checksum", "rounds": 1, "samples": 2}
    graph = two_stage(**fit, steps=100, save_every=1)
    process = start(graph, tmp_path / "run")
    process.wait_for(lambda: process.step() >= 1)
    process.kill()
    round_ = tmp_path / "run" / "rounds" / "000"
    if how == "another run's":
        sysgraph.fit(
            two_stage(**fit, steps=1, seed=1), output=tmp_path / "o", reporter=Reporter(shown=False)
        )
        shutil.rmtree(round_)
        shutil.copytree(tmp_path / "o" / "rounds" / "000", round_)
        refused(graph, tmp_path / "run", "holds other pairs than the run trained on")
    else:
        damage(round_ / "train.jsonl", how)
        refused(graph, tmp_path / "run", r"train\.jsonl is damaged")


DAMAGED = [b"", b"{", b"\xff\xfe", b"[" * 100_000, b'{"a":' * 600 + b"1" + b"}" * 600, b"[]", b"7"]


@pytest.mark.parametrize("content", DAMAGED, ids=range(len(DAMAGED)))
@pytest.mark.parametrize("file", ["program.json", "result.json"])
def test_json_that_cannot_be_read(
    write_pairs: Callable[..., Path], tmp_path: Path, quiet: Reporter, file: str, content: bytes
) -> None:
    """Also nested so deeply that Python gives up."""
    from .test_failures import row, tables

    graph = tables(write_pairs([row("a", "b", "m")]), {"m": {}})
    sysgraph.fit(graph, output=tmp_path / "run", reporter=quiet)
    (tmp_path / "run" / file).write_bytes(content)
    if content.startswith(b'{"a"') and file == "program.json":
        refused(graph, tmp_path / "run", r"is damaged|other settings")
    else:
        refused(graph, tmp_path / "run", f"{file} is damaged: .*; (put it back|remove it)")


def test_what_makes_the_last_bits_differ_is_told(
    graph: Graph, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stopped(graph, tmp_path / "run")
    file = tmp_path / "run" / "state" / "info.json"
    info = json.loads(file.read_text())
    assert info["surroundings"]["threads of torch"] == torch.get_num_threads()
    torch.set_num_threads(2)
    sysgraph.fit(graph, output=tmp_path / "run", resume=True)
    assert (
        "warning: threads of torch was 1, now is 2: the run goes on, but will not end to the bit"
        in " ".join(capsys.readouterr().err.split())
    )


@pytest.mark.parametrize("name", ["metrics.jsonl", "state", "models", "program.json"])
def test_a_link_in_a_run_folder_is_not_followed(graph: Graph, tmp_path: Path, name: str) -> None:
    """Of a folder that came from elsewhere."""
    stopped(graph, tmp_path / "run")
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "mine").write_text("mine")
    path = tmp_path / "run" / name
    if path.is_dir():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)
    path.symlink_to(precious if name in ("state", "models") else precious / "mine")
    refused(graph, tmp_path / "run", f"{name} is a link")
    assert (precious / "mine").read_text() == "mine"
