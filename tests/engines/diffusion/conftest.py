"""Engines over tiny pipelines, and what diffusers itself makes of them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from sysgraph.engines import Request
from sysgraph.engines.diffusion import DiffusionEngine
from sysgraph.objectives.diffusion import noise_seeds
from sysgraph.traces.pictures import Picture
from sysgraph_schemas import Diffusion

from .edit_folders import BETA, EDITORS, small_area
from .flow_folders import FLOWS
from .folders import save_sd, save_sdxl
from .published_flow import HEIGHT, WIDTH

MakeEngine = Callable[..., DiffusionEngine]


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Pipelines by name: Stable Diffusion 1.5 and XL, and each predicting velocity."""
    root = tmp_path_factory.mktemp("pipelines")
    return {
        "sd": save_sd(root / "sd"),
        "sd-v": save_sd(root / "sd-v", prediction="v_prediction"),
        "sdxl": save_sdxl(root / "sdxl"),
        "sdxl-v": save_sdxl(root / "sdxl-v", prediction="v_prediction"),
    }


@pytest.fixture(scope="session")
def make(folders: dict[str, Path]) -> MakeEngine:
    """An engine of one model `ada`, or of several: their settings by name."""

    def engine(pipeline: str = "sd", several: Any = None, **settings: Any) -> DiffusionEngine:
        given = several or {"ada": settings}
        specs = {
            name: Diffusion(**{"id": str(folders[pipeline]), "inference_steps": 4, **one})
            for name, one in given.items()
        }
        return DiffusionEngine(specs, device=torch.device("cpu"), seed=0)

    return engine


@pytest.fixture(scope="session")
def flows(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Pipelines that are trained by flow matching, by name."""
    root = tmp_path_factory.mktemp("flows")
    return {name: save(root / name) for name, save in FLOWS.items()}


@pytest.fixture(scope="session")
def flow(flows: dict[str, Path]) -> MakeEngine:
    """An engine of one model `ada` on such a pipeline, that draws 8 x 16 pixels."""

    def engine(pipeline: str, **settings: Any) -> DiffusionEngine:
        objective = {"preset": "flow_dpo", **settings.pop("objective", {})}
        given = {"id": str(flows[pipeline]), "inference_steps": 2, "width": 8, "height": 16}
        spec = Diffusion(objective=objective, **{**given, **settings})
        return DiffusionEngine({"ada": spec}, device=torch.device("cpu"), seed=0)

    return engine


@pytest.fixture(scope="session")
def editors(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Pipelines that edit, by name."""
    root = tmp_path_factory.mktemp("editors")
    return {name: save(root / name) for name, save in EDITORS.items()}


@pytest.fixture
def edits(editors: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> MakeEngine:
    """An engine of one model `ada` on such a pipeline, that draws 8 x 16 pixels."""
    small_area(monkeypatch)

    def engine(name: str, **settings: Any) -> DiffusionEngine:
        preset = "diffusion_dpo" if name == "pix2pix" else "flow_dpo"
        given = {"inference_steps": 2, "width": WIDTH, "height": HEIGHT, **settings}
        given["objective"] = {"preset": preset, "scale": BETA, **given.get("objective", {})}
        spec = Diffusion(id=str(editors[name]), **given)
        return DiffusionEngine({"ada": spec}, device=torch.device("cpu"), seed=0)

    return engine


@pytest.fixture(scope="session")
def sources() -> list[Picture]:
    """Pictures of three shapes."""
    random = np.random.default_rng(2)
    shapes = [(70, 70, 3), (96, 160, 3), (160, 96, 3)]
    return [Picture.of(Image.fromarray(random.integers(0, 256, s, np.uint8))) for s in shapes]


@pytest.fixture(scope="session")
def tall(tmp_path_factory: pytest.TempPathFactory) -> list[Picture]:
    """Two noisy images in files, 8 x 16."""
    folder, rng = tmp_path_factory.mktemp("tall"), np.random.default_rng(1)
    paths = [folder / f"{i}.png" for i in range(2)]
    for path in paths:
        Image.fromarray(rng.integers(0, 256, (16, 8, 3), dtype=np.uint8)).save(path)
    return [Picture.read(path) for path in paths]


@pytest.fixture(scope="session")
def jitter() -> Callable[..., None]:
    """Adds seeded noise to every trained weight, so that the policy is not the reference."""

    def apply(engine: DiffusionEngine, scale: float = 0.2, model: str = "ada") -> None:
        generator = torch.Generator().manual_seed(0)
        with torch.no_grad():
            for parameter in engine.parameters(model).values():
                parameter.add_(torch.randn(parameter.shape, generator=generator) * scale)

    return apply


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> list[Picture]:
    """Four noisy images in files, 8 x 8."""
    folder, rng = tmp_path_factory.mktemp("images"), np.random.default_rng(0)
    paths = [folder / f"{i}.png" for i in range(4)]
    for path in paths:
        Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)).save(path)
    return [Picture.read(path) for path in paths]


@pytest.fixture
def score(pictures: list[Picture]) -> Callable[..., Tensor]:
    def values(engine: DiffusionEngine, model: str = "ada", *, reference: bool = False) -> Tensor:
        requests = [
            Request(model, "a red fox", picture, noise=noise_seeds(i, "image", 1))
            for i, picture in enumerate(pictures[:2])
        ]
        return engine.log_prob(requests, reference=reference)

    return values
