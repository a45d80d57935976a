"""What is trained is saved as diffusers loads it, and read back or refused whole."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import DiffusionPipeline, UNet2DConditionModel
from safetensors.torch import load_file
from torch import Tensor

from sysgraph import InputError
from sysgraph.engines import Draw
from sysgraph.engines.diffusion import DiffusionEngine

from .folders import ddim

MakeEngine = Callable[..., DiffusionEngine]
Jitter = Callable[..., None]
Score = Callable[..., Tensor]


def drawn(pipeline: Any) -> Tensor:
    pipeline.scheduler = ddim(pipeline.scheduler.config)
    out = pipeline(
        "a red fox",
        generator=torch.Generator().manual_seed(3),
        num_inference_steps=4,
        guidance_scale=7.5,
        output_type="latent",
    ).images
    assert isinstance(out, Tensor)
    return out[0]


def ours(engine: DiffusionEngine) -> Tensor:
    (picture,) = engine.sample([Draw("ada", "a red fox", 3)])
    found = picture.latents(engine._weights["ada"].resident.autoencoder.name)
    assert found is not None
    return found


@pytest.mark.parametrize("pipeline", ["sd", "sdxl"])
def test_adapter_loads_as_lora_weights(
    make: MakeEngine, folders: dict[str, Path], jitter: Jitter, tmp_path: Path, pipeline: str
) -> None:
    engine = make(pipeline, lora={"r": 2, "alpha": 7.0})
    jitter(engine)
    engine.save("ada", tmp_path / "ada")
    fresh = DiffusionPipeline.from_pretrained(folders[pipeline], use_safetensors=True)
    without = drawn(fresh)
    fresh.load_lora_weights(tmp_path / "ada")
    torch.testing.assert_close(ours(engine), drawn(fresh), rtol=1e-4, atol=1e-4)
    assert not torch.allclose(without, drawn(fresh), atol=1e-2)


def test_full_loads_as_a_unet(
    make: MakeEngine, folders: dict[str, Path], jitter: Jitter, tmp_path: Path
) -> None:
    engine = make(train="full")
    jitter(engine, 0.05)
    engine.save("ada", tmp_path / "ada")
    unet = UNet2DConditionModel.from_pretrained(tmp_path / "ada", subfolder="unet")
    fresh = DiffusionPipeline.from_pretrained(folders["sd"], unet=unet, use_safetensors=True)
    torch.testing.assert_close(ours(engine), drawn(fresh), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("train", ["lora", "full"])
def test_what_was_saved_is_read(
    make: MakeEngine, jitter: Jitter, score: Score, tmp_path: Path, train: str
) -> None:
    engine = make(train=train)
    jitter(engine, 0.05)
    engine.save("ada", tmp_path / "ada")
    again = make(train=train)
    again.load("ada", tmp_path / "ada")
    for name, parameter in engine.parameters("ada").items():
        assert torch.equal(parameter, again.parameters("ada")[name]), name
    torch.testing.assert_close(score(again), score(engine))


@pytest.mark.parametrize("train", ["lora", "full"])
def test_what_does_not_fit_changes_nothing(
    make: MakeEngine, jitter: Jitter, tmp_path: Path, train: str
) -> None:
    other = make("sdxl", train=train)
    jitter(other, 0.05)
    other.save("ada", tmp_path / "other")
    engine = make(train=train)
    before = {name: p.detach().clone() for name, p in engine.parameters("ada").items()}
    with pytest.raises(InputError, match="does not fit model 'ada'"):
        engine.load("ada", tmp_path / "other")
    with pytest.raises(InputError, match="for model 'ada'"):
        engine.load("ada", tmp_path / "none")
    for name, parameter in engine.parameters("ada").items():
        assert torch.equal(parameter, before[name])


def test_an_adapter_of_another_scale_is_refused(
    make: MakeEngine, jitter: Jitter, tmp_path: Path
) -> None:
    engine = make(lora={"r": 2, "alpha": 4.0})
    jitter(engine)
    engine.save("ada", tmp_path / "ada")
    with pytest.raises(InputError, match=r"its lora_alpha is 4\.0, the graph's is 8\.0"):
        make(lora={"r": 2, "alpha": 8.0}).load("ada", tmp_path / "ada")
    names = load_file(tmp_path / "ada" / "pytorch_lora_weights.safetensors")
    assert all(name.startswith("unet.") for name in names)
