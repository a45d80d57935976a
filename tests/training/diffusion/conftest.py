"""A graph of one image, and one of a text that is read as captions; pairs for them, as files."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import sysgraph
from sysgraph.traces.pictures import Picture

from ...engines.diffusion.folders import save_sd

Build = Callable[..., sysgraph.Graph]
FIT = {"steps": 4, "batch_size": 4, "learning_rate": 1e-3, "eval_fraction": 0, "log_every": 1}


@pytest.fixture(scope="session")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pipeline of random weights in Stable Diffusion 1.5's classes."""
    return save_sd(tmp_path_factory.mktemp("pipelines") / "sd")


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Files of eight noisy images, 8 x 8, without latents."""
    folder, rng = tmp_path_factory.mktemp("images"), np.random.default_rng(0)
    paths = [folder / f"{i}.png" for i in range(8)]
    for path in paths:
        Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)).save(path)
    return paths


@pytest.fixture(scope="session")
def pictures(images: list[Path]) -> list[Picture]:
    """The eight images."""
    return [Picture.read(path) for path in images]


@pytest.fixture
def one_image(pipeline: Path) -> Build:
    """prompt -> image; the model's settings by name."""

    def build(fit: Mapping[str, Any] | None = None, **model: Any) -> sysgraph.Graph:
        painter = {"kind": "diffusion", "id": str(pipeline), "inference_steps": 2, **model}
        graph = {
            "sysgraph": 1,
            "name": "one_image",
            "models": {"painter": painter},
            "nodes": {
                "prompt": {"kind": "input"},
                "image": {"kind": "diffusion", "model": "painter", "prompt": "{{ prompt }}"},
            },
            "edges": ["prompt -> image"],
            "outputs": ["image"],
            "fit": {**FIT, **(fit or {})},
        }
        return sysgraph.load(json.dumps(graph))

    return build


@pytest.fixture
def story(pipeline: Path, checkpoint: Callable[..., Path]) -> Build:
    """prompt -> text -> two or three captions -> an image each; the painter's settings by name."""

    def build(fit: Mapping[str, Any] | None = None, **model: Any) -> sysgraph.Graph:
        writer = {"kind": "causal_lm", "id": str(checkpoint()), "max_new_tokens": 12}
        painter = {"kind": "diffusion", "id": str(pipeline), "inference_steps": 2, **model}
        graph = {
            "sysgraph": 1,
            "name": "story",
            "models": {"writer": writer, "painter": painter},
            "nodes": {
                "prompt": {"kind": "input"},
                "text": {"kind": "lm", "model": "writer", "prompt": "{{ prompt }}"},
                "captions": {"kind": "parse", "parser": "captions"},
                "image": {
                    "kind": "diffusion",
                    "for_each": {"caption": "captions"},
                    "model": "painter",
                    "prompt": "{{ caption }}",
                },
            },
            "parsers": {
                "captions": {
                    "kind": "split",
                    "separator": ";",
                    "min_items": 2,
                    "max_items": 3,
                    "on_failure": "reject",
                }
            },
            "edges": ["prompt -> text", "text -> captions", "captions -> image"],
            "outputs": ["image"],
            "fit": {**FIT, **(fit or {})},
        }
        return sysgraph.load(json.dumps(graph))

    return build


@pytest.fixture
def story_rows(images: list[Path], write_pairs: Callable[..., Path]) -> Path:
    """Five pairs for `story`: of each kind that there is."""
    a, b, c, d, e = map(str, images[:5])
    sides: list[tuple[dict[str, Any], dict[str, Any]]] = [
        ({"text": "fog;owl", "image": [a, b]}, {"text": "fox;sun", "image": [c, d]}),
        ({"text": "fog;owl", "image": [a, b]}, {"text": "no captions"}),
        ({"text": "fog;owl", "image": [a, b]}, {"text": "fog;owl", "image": [a, c]}),
        ({"text": "fog;owl", "image": [a, b]}, {"text": "fog;sun", "image": [a, b]}),
        ({"text": "fog;owl", "image": [a, b]}, {"text": "x;y;z", "image": [c, d, e]}),
    ]
    return write_pairs([({"prompt": f"p{i}"}, *pair) for i, pair in enumerate(sides)])


@pytest.fixture
def image_rows(images: list[Path], write_pairs: Callable[..., Path]) -> Path:
    """Six pairs for `one_image`."""
    rows = [
        ({"prompt": f"fox {i}"}, {"image": str(images[i])}, {"image": str(images[i + 1])})
        for i in range(6)
    ]
    return write_pairs(rows)


@pytest.fixture
def write_inputs(tmp_path: Path) -> Callable[[int], Path]:
    """Writes an inputs file of so many prompts."""

    def write(count: int) -> Path:
        file = tmp_path / "prompts.jsonl"
        file.write_text("".join(json.dumps({"prompt": f"fox {i}"}) + "\n" for i in range(count)))
        return file

    return write


@pytest.fixture(scope="session")
def jitter() -> Callable[..., None]:
    """Adds seeded noise to all trained weights, so that the policy is not the reference."""

    def apply(system: sysgraph.System, scale: float = 0.05) -> None:
        generator = torch.Generator().manual_seed(0)
        with torch.no_grad():
            for model in system.trained():
                for parameter in system.parameters(model).values():
                    parameter.add_(torch.randn(parameter.shape, generator=generator) * scale)

    return apply
