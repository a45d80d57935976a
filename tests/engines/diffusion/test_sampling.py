"""Images are the pipeline's own, whatever they are drawn beside."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import DiffusionPipeline
from torch import Tensor, nn

import sysgraph
from sysgraph import InputError, RunError, System
from sysgraph.engines import Draw, Search
from sysgraph.engines.diffusion import DiffusionEngine
from sysgraph.engines.diffusion.noise_prediction import NoisePrediction
from sysgraph.traces.pictures import Picture

from .folders import ddim

MakeEngine = Callable[..., DiffusionEngine]
CAPTIONS = ["a red fox", "two owls", "fog"]


def draws(*seeds: int) -> list[Draw]:
    return [Draw("ada", CAPTIONS[seed % 3], seed) for seed in seeds]


def latents(engine: DiffusionEngine, pictures: list[Picture]) -> Tensor:
    name = engine._weights["ada"].resident.autoencoder.name
    found = [picture.latents(name) for picture in pictures]
    return torch.stack([one for one in found if one is not None])


def own(folder: Path, scheduler: str, **settings: Any) -> tuple[Tensor, np.ndarray[Any, Any]]:
    """Latents and pixels [B, H, W, C] as the pipeline of diffusers draws them."""
    pipeline = DiffusionPipeline.from_pretrained(folder, use_safetensors=True)
    if scheduler == "ddim":
        pipeline.scheduler = ddim(pipeline.scheduler.config)
    out = []
    for kind in ("latent", "np"):
        generators = [torch.Generator().manual_seed(seed) for seed in range(3)]
        out.append(
            pipeline(
                CAPTIONS, generator=generators, num_inference_steps=4, output_type=kind, **settings
            ).images
        )
    return out[0], out[1]


@pytest.mark.parametrize("scheduler", ["ddim", "pipeline"])
@pytest.mark.parametrize("guidance", [1.0, 5.0])
@pytest.mark.parametrize("pipeline", ["sd", "sdxl-v"])
def test_are_what_the_pipeline_draws(
    make: MakeEngine, folders: dict[str, Path], pipeline: str, guidance: float, scheduler: str
) -> None:
    engine = make(pipeline, train="frozen", guidance_scale=guidance, scheduler=scheduler)
    found = engine.sample(draws(0, 1, 2))
    wanted, pixels = own(folders[pipeline], scheduler, guidance_scale=guidance)
    torch.testing.assert_close(latents(engine, found), wanted, rtol=1e-3, atol=1e-3)
    for picture, image in zip(found, pixels, strict=True):
        assert np.abs(np.asarray(picture.open()) - image * 255).max() < 1.01


def test_size_is_the_specs(make: MakeEngine, folders: dict[str, Path]) -> None:
    engine = make("sdxl", train="frozen", height=16, width=24)
    found = engine.sample(draws(0, 1, 2))
    assert {picture.size for picture in found} == {(24, 16)}
    wanted, _ = own(folders["sdxl"], "ddim", guidance_scale=7.5, height=16, width=24)
    torch.testing.assert_close(latents(engine, found), wanted, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("scheduler", ["ddim", "pipeline"])
def test_batches_do_not_show(make: MakeEngine, scheduler: str) -> None:
    engine = make("sdxl", train="frozen", scheduler=scheduler)
    together = latents(engine, engine.sample(draws(0, 1, 2, 3, 4)))
    two = latents(engine, engine.sample(draws(4, 3, 2, 1, 0), batch_size=2)).flip(0)
    torch.testing.assert_close(two, together, rtol=1e-3, atol=1e-3)
    assert engine.sample(draws(3)) == engine.sample(draws(3))
    assert not torch.allclose(together[0], together[3], atol=1e-1)  # one caption, two seeds


def test_batches_are_bounded(make: MakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    inner = NoisePrediction.drawn

    def counted(
        self: NoisePrediction, module: nn.Module, captions: Any, *args: Any, **kw: Any
    ) -> Any:
        sizes.append(len(captions))
        return inner(self, module, captions, *args, **kw)

    monkeypatch.setattr(NoisePrediction, "drawn", counted)
    monkeypatch.setattr("sysgraph.engines.diffusion.engine._PIXELS_PER_LOOP", 6 * 16)
    make(train="frozen").sample(draws(0, 1, 2, 3))  # guided: each counts twice
    make(train="frozen", guidance_scale=1.0).sample(draws(0, 1, 2, 3))
    assert sizes == [3, 1, 4]


def test_the_policy_draws(make: MakeEngine, jitter: Callable[..., None]) -> None:
    for train in ("lora", "full"):
        engine = make(train=train)
        before = latents(engine, engine.sample(draws(0)))
        base = latents(engine, make(train="frozen").sample(draws(0)))
        torch.testing.assert_close(before, base, rtol=1e-3, atol=1e-3)
        jitter(engine)
        assert not torch.allclose(latents(engine, engine.sample(draws(0))), before, atol=1e-2)


def test_nothing_is_said(
    make: MakeEngine, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    engine = make()
    engine.sample([Draw("ada", "a caption beyond the limit of the encoder", 0)])
    out = capfd.readouterr()
    assert (out.out, out.err) == ("", "")
    assert caplog.messages == []


def test_what_is_not_finite_is_told(make: MakeEngine, jitter: Callable[..., None]) -> None:
    engine = make()
    jitter(engine, float("nan"))
    with pytest.raises(RunError, match=r"latents that are not finite in torch\.float32"):
        engine.sample(draws(0))


def test_a_broken_decoder_is_told(make: MakeEngine) -> None:
    engine = make(train="frozen")
    engine._weights["ada"].resident.pipeline.vae.decoder.conv_out.weight.data.fill_(torch.nan)
    with pytest.raises(RunError, match="pixels that are not finite"):
        engine.sample(draws(0))


def test_a_search_is_refused_by_name(folders: dict[str, Path]) -> None:
    graph = {
        "sysgraph": 1,
        "name": "test",
        "models": {"ada": {"kind": "diffusion", "id": str(folders["sd"]), "train": "frozen"}},
        "nodes": {
            "caption": {"kind": "input"},
            "image": {"kind": "diffusion", "model": "ada", "prompt": "{{ caption }}"},
        },
        "edges": ["caption -> image"],
        "outputs": ["image"],
    }
    system = System(sysgraph.compile(sysgraph.load(json.dumps(graph))), device="cpu")
    with pytest.raises(InputError, match="diffusion model 'ada' has no beam search: sample it"):
        system.search([Search("ada", "fog", 1, 1)])
