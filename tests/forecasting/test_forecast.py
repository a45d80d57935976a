"""A forecast against what the same models take when they are there."""

import json
import re
import shlex
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM
from typer.testing import CliRunner

import sysgraph
from benchmarks.real_model import save_tiny
from sysgraph.cli import app
from sysgraph.data import load_inputs
from sysgraph.engines.checkpoints import engine
from sysgraph.engines.checkpoints.shapes import are_all, only_shapes
from sysgraph.forecasting import Forecast, forecast
from sysgraph.forecasting.allocations import Allocations
from sysgraph.forecasting.step import pairs_of, step_of
from sysgraph.system import System

ROOT = Path(__file__).parents[2]
Build = Callable[..., sysgraph.Graph]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Callable[[torch.dtype], Path]:
    """The folder of a random Llama of one layer, of a type."""

    def folder(dtype: torch.dtype) -> Path:
        place = tmp_path_factory.mktemp("llama")
        save_tiny(place, hidden_size=16, layers=1, vocabulary=300)
        AutoModelForCausalLM.from_pretrained(place, dtype=dtype).save_pretrained(place)
        return place

    return cache(folder)


@pytest.fixture
def build(checkpoint: Callable[..., Path]) -> Build:
    """question -> draft -> verdict -> answer: two LMs on one base, a choice, a parser, a gate."""

    def made(dtype: torch.dtype = torch.float32, train: str = "lora", **fit: Any) -> sysgraph.Graph:
        model = {"kind": "causal_lm", "id": str(checkpoint(dtype)), "max_new_tokens": 6}
        graph = {
            "sysgraph": 1,
            "name": "small",
            "models": {"first": model, "second": {**model, "train": train}},
            "nodes": {
                "question": {"kind": "input"},
                "draft": {"kind": "lm", "model": "first", "prompt": "{{ question }}"},
                "words": {"kind": "parse", "parser": "words"},
                "answer": {
                    "kind": "lm",
                    "model": "second",
                    "for_each": {"word": "words"},
                    "prompt": "{{ question }} {{ word }}",
                },
            },
            "parsers": {
                "words": {
                    "kind": "split",
                    "separator": ";",
                    "min_items": 2,
                    "max_items": 2,
                    "on_failure": "reject",
                }
            },
            "edges": ["question -> draft", "draft -> words", "question, words -> answer"],
            "outputs": ["answer"],
            "fit": {
                "batch_size": 2,
                "rounds": 2,
                "inputs": "toy:specialists/train",
                "inputs_per_round": 2,
                **fit,
            },
        }
        return sysgraph.load(json.dumps(graph))

    return made


def scorer(trace: sysgraph.Trace) -> float:
    return 0.0


def foreseen(graph: sysgraph.Graph, **more: Any) -> Forecast:
    return forecast(graph, scorer=scorer, device="cpu", **more)


@pytest.mark.parametrize(
    ("train", "dtype"),
    [("lora", torch.float32), ("full", torch.float32), ("full", torch.bfloat16)],
)
def test_it_is_what_models_take(build: Build, train: str, dtype: torch.dtype) -> None:
    """Shapes and numbers have equal bytes: of weights, and nearly so of the passes of a step."""
    graph = build(dtype, train)
    found = foreseen(graph)
    with Allocations() as counted:
        system = System(sysgraph.compile(graph), device="cpu")
    inputs = load_inputs(system.program, str(graph.fit.inputs))
    step = step_of(system, pairs_of(system, inputs), made_up=True)
    assert replace(step, activations=0, by_model={}) == replace(
        found.step, activations=0, by_model={}
    )
    assert step.activations == pytest.approx(found.step.activations, rel=0.01)  # small buffers
    assert step.by_model == pytest.approx(found.step.by_model, rel=0.01)
    with Allocations() as counted_again:
        system.sample(inputs[:2], graph.fit.samples)
    first, _ = found.samples  # no parser accepts the texts, so nothing else is drawn
    assert counted_again.most == pytest.approx(first.memory, rel=0.05)  # some end early
    assert {one.model: one.values for one in found.samples} == {"first": 8, "second": 16}
    assert tuple(system.bases()) == found.bases
    taken = {id(storage): storage.nbytes() for storage in _storages(system)}
    said = sum(base.size for base in found.bases) + sum(m.weights for m in found.models)
    assert sum(taken.values()) == said
    assert counted.most >= said
    weights = {m.model: m.parameters for m in found.models}
    assert weights == {
        model: sum(p.numel() for p in system.parameters(model).values())
        for model in system.trained()
    }


def _storages(system: System) -> list[Any]:
    """Of all that is in memory: parameters and buffers that are saved, and float32 masters."""
    own = system._engines["first"]._weights  # type: ignore[attr-defined]
    tensors = [t for weights in own.values() for t in weights.resident.weights.values()]
    for model, weights in own.items():
        tensors += weights.parameters().values()
        if system.program.models[model].training == "full":
            tensors += weights.module(reference=False).parameters()
    return [*{t.untyped_storage()._cdata: t.untyped_storage() for t in tensors}.values()]


def test_moments_gradients_and_copies(build: Build) -> None:
    (first, second) = foreseen(build(train="full", eval_fraction=0.5)).models
    for one in (first, second):
        assert (one.gradients, one.optimizer) == (one.weights, 2 * one.weights)
        assert one.reference == one.weights
        assert one.kept == 3 * one.weights  # the round's start, the best of the round, of all
    assert first.parameters < second.parameters
    assert foreseen(build(rounds=1, eval_fraction=0)).models[0].kept == 0


def test_a_share_of_a_step(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "pass_bytes", lambda device: 2**16)
    alone, shared = (foreseen(build(batch_size=4), processes=n) for n in (1, 2))
    assert shared.step.passes * 2 == alone.step.passes
    assert 0 < shared.step.activations <= alone.step.activations
    assert shared.step.pairs == alone.step.pairs == 4


def test_pairs_that_are_there(build: Build, tmp_path: Path) -> None:
    """Also such as lack values: those are made up, as many as are drawn."""
    whole = {"draft": "a;b", "answer": ["c", "d"]}
    row = {
        "inputs": {"question": "q"},
        "chosen": whole,
        "rejected": {**whole, "answer": ["e", "d"]},
    }
    lacks = {**row, "chosen": {"answer": ["c", "d"]}, "rejected": {"answer": ["e", "d"]}}
    steps = []
    for number, one in enumerate((row, lacks)):
        file = tmp_path / f"{number}.jsonl"
        file.write_text(json.dumps(one) + "\n")
        steps.append(foreseen(build(eval_fraction=0, batch_size=1), data=file).step)
    assert not any(step.made_up for step in steps)
    assert steps[0].tokens < steps[1].tokens


def test_nothing_is_loaded_and_all_is_as_it_was(build: Build, tmp_path: Path) -> None:
    graph = build()
    place = Path(graph.models["first"].id)  # type: ignore[union-attr]
    moved = tmp_path / "only-shapes"
    moved.mkdir()
    for file in place.iterdir():
        if file.suffix != ".safetensors":
            (moved / file.name).write_bytes(file.read_bytes())
    changed = {n: m.model_copy(update={"id": str(moved)}) for n, m in graph.models.items()}
    found = foreseen(graph.model_copy(update={"models": changed}))
    assert found.step == foreseen(graph).step
    assert not are_all()
    assert torch.nn.Linear(2, 2).to(torch.float64).weight.sum().item() != 0


def test_an_error_leaves_no_shapes(build: Build) -> None:
    move = torch.nn.Module._apply
    with pytest.raises(ZeroDivisionError), only_shapes(torch.device("cpu")):
        raise ZeroDivisionError
    assert torch.nn.Module._apply is move
    assert not are_all()


def test_the_command(build: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "graph.yaml"
    file.write_text(build(scorer="attributes").model_dump_json(exclude_unset=True))
    done = CliRunner().invoke(app, ["fit", str(file), "--dry-run"])
    assert done.exit_code == 0, done.output
    assert "for first, second" in done.output
    assert done.output.rstrip().endswith(": fits")
    assert not (tmp_path / "runs").exists()
    monkeypatch.setattr("sysgraph.forecasting.foresee.device_bytes", lambda device: 1000)
    done = CliRunner().invoke(app, ["fit", str(file), "--dry-run"])
    assert done.exit_code == 1
    assert ": DOES NOT FIT\n    most of it: model " in done.output
    assert "with --set models.first.dtype=bfloat16 --set models.second.dtype=" in done.output
    assert done.output.rstrip().endswith(": still does not fit")


def test_the_page_shows_what_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    page = (ROOT / "docs" / "speed.md").read_text("utf-8")
    command, _, shown = page.partition("$ sysgraph ")[2].partition("```")[0].partition("\n")
    said = CliRunner().invoke(app, shlex.split(command)).output.splitlines()
    said = [_anywhere(line) for line in said]
    lines = [_anywhere(line) for line in shown.splitlines() if line != "  ..."]
    assert len(lines) > 8
    assert [line for line in lines if line not in said] == []


def _anywhere(line: str) -> str:
    """A line, without how much memory this machine has."""
    return re.sub(r"(with|of) [\d.,]+ [GT]iB", r"\1 ROOM", line)
