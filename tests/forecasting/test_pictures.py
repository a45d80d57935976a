"""Forecasts of models that draw pictures, or see them, against the same models with numbers."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

import sysgraph
from sysgraph.engines.checkpoints.shapes import numbers, only_shapes
from sysgraph.forecasting import forecast
from sysgraph.forecasting.allocations import Allocations
from sysgraph.forecasting.drawing import round_of
from sysgraph.forecasting.step import step_of
from sysgraph.system import System
from sysgraph.training.fitting import material_of
from tests.engines.diffusion import flow_folders, folders
from tests.engines.vision.conftest import viewer

__all__ = ["viewer"]
SIDE = 16


def painting(painter: Path, data: Path, **model: Any) -> sysgraph.Graph:
    spec = {"kind": "diffusion", "id": str(painter), "width": SIDE, "height": SIDE, **model}
    return _graph("diffusion", spec, "{{ caption }}", data, {"caption": {"kind": "input"}})


def _graph(kind: str, spec: Any, prompt: str, data: Path, given: Any) -> sysgraph.Graph:
    graph = {
        "sysgraph": 1,
        "name": "pictures",
        "models": {"model": spec},
        "nodes": {**given, "value": {"kind": kind, "model": "model", "prompt": prompt}},
        "edges": [f"{', '.join(given)} -> value"],
        "outputs": ["value"],
        "fit": {"data": str(data), "batch_size": 2, "eval_fraction": 0},
    }
    return sysgraph.load(json.dumps(graph))


def pictures(folder: Path) -> list[str]:
    """Four, all different."""
    paths = [folder / f"{i}.png" for i in range(4)]
    for i, path in enumerate(paths):
        Image.new("RGB", (SIDE, SIDE), (60 * i, 90, 10)).save(path)
    return [str(path) for path in paths]


def drawn_pairs(folder: Path) -> Path:
    one, two, three, four = pictures(folder)
    return _written(
        folder,
        [
            {"inputs": {"caption": "a fox"}, "chosen": {"value": a}, "rejected": {"value": b}}
            for a, b in ((one, two), (three, four))
        ],
    )


def seen_pairs(folder: Path) -> Path:
    return _written(
        folder,
        [
            {"inputs": {"picture": path}, "chosen": {"value": "red"}, "rejected": {"value": "a"}}
            for path in pictures(folder)[:2]
        ],
    )


def _written(folder: Path, rows: list[Any]) -> Path:
    file = folder / "pairs.jsonl"
    file.write_text("".join(f"{json.dumps(row)}\n" for row in rows), "utf-8")
    return file


def require_equal(graph: sysgraph.Graph) -> System:
    """A forecast says to the byte what the models with numbers take: gives those."""
    found = forecast(graph, device="cpu")
    system = System(sysgraph.compile(graph), device="cpu")
    assert tuple(system.bases()) == found.bases
    assert step_of(system, material_of(system.program, None, None).pairs) == found.step
    return system


@pytest.mark.parametrize(
    ("save", "model"),
    [
        (folders.save_sd, {"train": "full", "objective": {"preset": "diffusion_dpo"}}),
        (flow_folders.save_flux, {"dtype": "bfloat16", "objective": {"preset": "flow_dpo"}}),
    ],
)
def test_painters(save: Callable[[Path], Path], model: dict[str, Any], tmp_path: Path) -> None:
    """Their passes, and what drawing takes: of the loop, the guidance and the VAE."""
    whole = save(tmp_path / "painter")
    graph = painting(whole, drawn_pairs(tmp_path), inference_steps=3, **model)
    system = require_equal(graph)
    rows = [{"caption": "a fox"}, {"caption": "a dog"}]
    for file in whole.rglob("*.safetensors"):
        file.unlink()
    with only_shapes(torch.device("cpu")):
        shapes = System(system.program, device="cpu")
        with numbers():
            (drawing,) = round_of(shapes, rows, {"model"})
    with Allocations() as counted:
        system.sample(rows, system.program.fit.samples)
    assert counted.most == pytest.approx(drawing.memory, rel=0.01)  # a caption is known by now
    assert (drawing.values, drawing.at_once, drawing.tokens) == (8, 8, 0)


def test_a_model_that_sees(viewer: Callable[[str], Path], tmp_path: Path) -> None:
    """What it does hangs on the sizes of pictures, which have numbers in a dry run too."""
    spec = {"kind": "vision_lm", "id": str(viewer("qwen2.5-vl"))}
    given = {"picture": {"kind": "input", "type": "image"}}
    require_equal(_graph("lm", spec, "{{ picture }} what ?", seen_pairs(tmp_path), given))
