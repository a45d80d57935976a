"""Flow matching: the published loss, the pipeline's own images, and files that diffusers reads."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import DiffusionPipeline
from torch import Tensor, nn

from sysgraph.engines import Draw, Request
from sysgraph.engines.diffusion import DiffusionEngine
from sysgraph.engines.diffusion.noise import normals
from sysgraph.objectives.diffusion import noise_seeds, sigmas_of
from sysgraph.objectives.direct import direct_loss, log_ratios
from sysgraph.traces.pictures import Picture
from sysgraph_schemas import Fit

from .published_flow import HEIGHT, WIDTH, flow_dpo

MakeEngine = Callable[..., DiffusionEngine]
Jitter = Callable[..., None]
CAPTIONS = ["a red fox", "two owls"]
NOISE = noise_seeds("pair", "image", 1)
# Of FLUX.1 dev and Stable Diffusion 3: their calls' defaults. Qwen-Image's is 4, Z-Image's 5.
GUIDANCE = {"sd3": {"guidance_scale": 7.0}, "flux": {"guidance_scale": 3.5}}
GUIDANCE["qwen"] = {"true_cfg_scale": 4.0, "negative_prompt": [""] * 2}  # type: ignore[dict-item]
GUIDANCE["zimage"] = {"guidance_scale": 5.0}


def own(folder: Path) -> Any:
    pipeline = DiffusionPipeline.from_pretrained(folder, use_safetensors=True)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


@pytest.fixture(scope="module")
def untrained(flows: dict[str, Path]) -> dict[str, Any]:
    """The pipelines as diffusers loads them."""
    return {name: own(folder) for name, folder in flows.items()}


def loss(engine: DiffusionEngine, pair: list[Picture]) -> Tensor:
    """The Direct loss of a system of one painter."""
    requests = [Request("ada", c, p, noise=NOISE) for c, p in zip(CAPTIONS, pair, strict=True)]
    policy = engine.log_prob(requests, reference=False).view(2, 1, 1)
    with torch.no_grad():
        reference = engine.log_prob(requests, reference=True).view(2, 1, 1)
    ratios = log_ratios(policy, reference, torch.ones(1, 1, dtype=torch.bool))
    return direct_loss(ratios, torch.ones(2, 1, 1), Fit(beta=1.0)).sum()


def published(before: Any, policy: nn.Module, pair: list[Picture]) -> Tensor:
    (sigma,) = sigmas_of(NOISE, "logit_normal")
    noise = normals(NOISE, (4, HEIGHT // 2, WIDTH // 2))[0]
    return flow_dpo(before, policy, CAPTIONS, pair, sigma=sigma, noise=noise, beta=60.0)


@pytest.mark.parametrize("name", ["sd3", "flux", "qwen", "zimage"])
def test_full_training_has_the_published_loss_and_gradients(
    name: str,
    flow: MakeEngine,
    untrained: dict[str, Any],
    jitter: Jitter,
    tall: list[Picture],
    tmp_path: Path,
) -> None:
    engine = flow(name, train="full", objective={"scale": 60.0})
    jitter(engine, 0.05)
    engine.save("ada", tmp_path)
    before = untrained[name]
    policy = type(before.transformer).from_pretrained(tmp_path, subfolder="transformer")
    wanted, found = published(before, policy, tall), loss(engine, tall)
    assert abs(wanted.item() - 0.6931) > 0.01  # policy and reference differ
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)
    wanted.backward()
    found.backward()
    ours = engine.parameters("ada")
    for parameter_name, parameter in policy.named_parameters():
        gradient = ours[parameter_name].grad
        if parameter.grad is None:  # what the last layer makes of captions, nothing reads
            assert gradient is None, parameter_name
            continue
        assert gradient is not None, parameter_name
        near = 1e-3 * parameter.grad.norm() + 1e-5
        assert (gradient - parameter.grad).norm() <= near, parameter_name


@pytest.mark.parametrize("name", ["sd3", "flux", "qwen", "zimage"])
def test_lora_is_what_diffusers_loads(
    name: str,
    flow: MakeEngine,
    flows: dict[str, Path],
    untrained: dict[str, Any],
    jitter: Jitter,
    tall: list[Picture],
    tmp_path: Path,
) -> None:
    """The published loss of the pipeline that has read the adapter, and the images it draws."""
    engine = flow(name, lora={"r": 2, "alpha": 6}, objective={"scale": 60.0})
    jitter(engine)
    engine.save("ada", tmp_path)
    policy = own(flows[name])
    policy.load_lora_weights(tmp_path)
    wanted, found = published(untrained[name], policy.transformer, tall), loss(engine, tall)
    assert abs(wanted.item() - 0.6931) > 0.01
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)
    found.backward()
    for parameter_name, parameter in engine.parameters("ada").items():
        assert parameter.grad is not None, parameter_name
    pictures = engine.sample(draws(2))
    drawn = latents(engine, pictures)
    alone = latents(engine, engine.sample(draws(2)[1:]))
    torch.testing.assert_close(alone, drawn[1:], rtol=1e-5, atol=1e-5)
    generators = [torch.Generator().manual_seed(seed) for seed in range(2)]
    images = policy(
        CAPTIONS,
        height=HEIGHT,
        width=WIDTH,
        num_inference_steps=2,
        generator=generators,
        output_type="np",
        **GUIDANCE[name],
    ).images
    for picture, image in zip(pictures, images, strict=True):
        assert np.abs(np.asarray(picture.open()) - image * 255).max() < 1.01


def draws(count: int) -> list[Draw]:
    return [Draw("ada", CAPTIONS[i], i) for i in range(count)]


def latents(engine: DiffusionEngine, pictures: list[Picture]) -> Tensor:
    name = engine._weights["ada"].resident.autoencoder.name
    return torch.stack([z for z in (p.latents(name) for p in pictures) if z is not None])
