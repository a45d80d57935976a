"""Pipelines and settings that cannot be used are named."""

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from diffusers import DiffusionPipeline
from torch import Tensor

from sysgraph import InputError
from sysgraph.engines import engine_of
from sysgraph.engines.diffusion import DiffusionEngine

MakeEngine = Callable[..., DiffusionEngine]
Jitter = Callable[..., None]
Score = Callable[..., Tensor]


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"_class_name": "NoPipeline"}, "it is a NoPipeline, which this version of diffusers does"),
        (
            {"_class_name": "KandinskyPipeline", "scheduler": ["diffusers", "DDIMScheduler"]},
            "it is a KandinskyPipeline, whose scheduler is a DDIMScheduler; supported are Stable",
        ),
        (
            {"_class_name": "FluxImg2ImgPipeline", "scheduler": ["diffusers", "FlowMatchX"]},
            "FluxImg2ImgPipeline, which begins with a picture that has some noise .*; supported",
        ),
        (
            {"_class_name": "StableDiffusionInpaintPipeline", "scheduler": ["diffusers", "PNDM"]},
            "InpaintPipeline, which paints into a part of a picture .*; .*InstructPix2PixPipeline",
        ),
        (
            {"_class_name": "LongCatImageEditPipeline", "scheduler": ["diffusers", "FlowMatchX"]},
            "it is a LongCatImageEditPipeline, whose call takes no `height`; supported are Stable",
        ),
        (
            {"_class_name": "StableDiffusion3Pipeline", "scheduler": ["os", "FlowMatchX"]},
            "its (transformer|scheduler) is .*; it can be (SD3Transf|a scheduler)",
        ),
    ],
)
def test_other_classes_are_named(
    make: MakeEngine, tmp_path: Path, config: dict[str, Any], said: str
) -> None:
    (tmp_path / "model_index.json").write_text(json.dumps(config))
    with pytest.raises(InputError, match=said):
        make(several={"ada": {"id": str(tmp_path)}})


def test_a_folder_that_is_none_is_named(make: MakeEngine, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"cannot load model id '{tmp_path}'"):
        make(several={"ada": {"id": str(tmp_path)}})


@pytest.mark.parametrize("part", ["unet", "vae"])
def test_pickled_weights_are_not_loaded(
    make: MakeEngine, folders: dict[str, Path], tmp_path: Path, part: str
) -> None:
    shutil.copytree(folders["sd"], tmp_path / "sd")
    module = getattr(DiffusionPipeline.from_pretrained(folders["sd"]), part)
    shutil.rmtree(tmp_path / "sd" / part)
    module.save_pretrained(tmp_path / "sd" / part, safe_serialization=False)
    with pytest.raises(InputError, match="safetensors"):
        make(several={"ada": {"id": str(tmp_path / "sd")}})


def test_settings_that_the_pipeline_cannot_do(make: MakeEngine) -> None:
    with pytest.raises(InputError, match="20 x 8 pixels"):
        make(width=20)
    with pytest.raises(InputError, match="trained with 1000"):
        make(inference_steps=1001)


def test_missing_packages_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    ours = ("sysgraph.engines.diffusion", "sysgraph.support.quiet_diffusers")
    for name in [n for n in sys.modules if n.startswith(ours)]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "diffusers", None)
    with pytest.raises(InputError, match=r"pip install 'sysgraph\[diffusion\]'"):
        engine_of("diffusion")
