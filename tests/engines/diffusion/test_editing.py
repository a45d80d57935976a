"""Pipelines that edit: the published losses, the pipelines' own images, and what is refused."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import DiffusionPipeline
from PIL import Image
from torch import Tensor, nn

from sysgraph.engines import Draw, Request
from sysgraph.engines.diffusion import DiffusionEngine
from sysgraph.engines.diffusion.noise import normals
from sysgraph.objectives.diffusion import noise_seeds, sigmas_of, timesteps_of
from sysgraph.objectives.direct import direct_loss, log_ratios
from sysgraph.traces.pictures import Picture
from sysgraph.traces.prompt import Illustrated
from sysgraph_schemas import Fit

from .edit_folders import BETA, qwen_processor
from .folders import ddim
from .published_edit import Edit, edit_dpo
from .published_flow import HEIGHT, WIDTH

Jitter = Callable[..., None]
MakeEditor = Callable[..., DiffusionEngine]
NOISE = noise_seeds("pair", "image", 1)
SAID = ("a red fox", "two owls")
ALL = ["pix2pix", "kontext", "qwen", "qwen_plus"]


def own(folder: Path) -> Any:
    # Without torchvision diffusers reads no processor that could read videos.
    parts = {"processor": qwen_processor()} if (folder / "processor").is_dir() else {}
    pipeline = DiffusionPipeline.from_pretrained(folder, use_safetensors=True, **parts)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def pair_of(name: str, sources: list[Picture], images: list[Picture]) -> list[Edit]:
    """An edit of a square picture, and of one or two others."""
    others = sources[1:] if name == "qwen_plus" else sources[1:2]
    return [Edit(SAID[0], sources[:1], images[0]), Edit(SAID[1], others, images[1])]


def context(edit: Edit) -> Illustrated:
    return Illustrated([*edit.sources, f" {edit.instruction}"])


def loss(engine: DiffusionEngine, pair: list[Edit]) -> Tensor:
    """The Direct loss of a system of one editor."""
    requests = [Request("ada", context(edit), edit.image, noise=NOISE) for edit in pair]
    policy = engine.log_prob(requests, reference=False).view(2, 1, 1)
    with torch.no_grad():
        reference = engine.log_prob(requests, reference=True).view(2, 1, 1)
    ratios = log_ratios(policy, reference, torch.ones(1, 1, dtype=torch.bool))
    return direct_loss(ratios, torch.ones(2, 1, 1), Fit(beta=1.0)).sum()


def published(before: Any, policy: nn.Module, pair: list[Edit]) -> Tensor:
    is_flow = hasattr(before, "transformer")
    (level,) = sigmas_of(NOISE, "logit_normal") if is_flow else timesteps_of(NOISE, 1000)
    noise = normals(NOISE, (4, HEIGHT // 2, WIDTH // 2))[0]
    return edit_dpo(before, policy, pair, level=level, noise=noise, beta=BETA)


@pytest.mark.parametrize("name", ALL)
def test_full_training_has_the_published_loss_and_gradients(
    name: str,
    edits: MakeEditor,
    editors: dict[str, Path],
    jitter: Jitter,
    sources: list[Picture],
    tall: list[Picture],
    tmp_path: Path,
) -> None:
    engine = edits(name, train="full")
    jitter(engine, 0.05)
    engine.save("ada", tmp_path)
    before = own(editors[name])
    part = "unet" if hasattr(before, "unet") else "transformer"
    policy = type(getattr(before, part)).from_pretrained(tmp_path, subfolder=part)
    pair = pair_of(name, sources, tall)
    wanted, found = published(before, policy, pair), loss(engine, pair)
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


# What the calls take: our defaults, which are theirs but that none is asked for a caption to avoid.
CALLS: dict[str, dict[str, Any]] = {
    "pix2pix": {"guidance_scale": 7.5, "image_guidance_scale": 1.5},
    "kontext": {"guidance_scale": 3.5, "height": 16, "width": 8, "max_area": 128},
    "qwen": {"true_cfg_scale": 4.0, "negative_prompt": "", "height": 16, "width": 8},
}
CALLS["qwen_plus"] = CALLS["qwen"]


@pytest.mark.parametrize("name", ALL)
def test_an_adapter_is_what_diffusers_loads_and_draws_with(
    name: str,
    edits: MakeEditor,
    editors: dict[str, Path],
    jitter: Jitter,
    sources: list[Picture],
    tall: list[Picture],
    tmp_path: Path,
) -> None:
    """The published loss of the pipeline that has read the adapter, and the images it draws."""
    engine = edits(name, lora={"r": 2, "alpha": 6})
    jitter(engine)
    engine.save("ada", tmp_path)
    before, policy = own(editors[name]), own(editors[name])
    policy.load_lora_weights(tmp_path)
    pair = pair_of(name, sources, tall)
    trained = policy.unet if hasattr(policy, "unet") else policy.transformer
    wanted, found = published(before, trained, pair), loss(engine, pair)
    assert abs(wanted.item() - 0.6931) > 0.01
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)
    found.backward()
    for parameter_name, parameter in engine.parameters("ada").items():
        assert parameter.grad is not None, parameter_name
    if name == "pix2pix":
        policy.scheduler = ddim(policy.scheduler.config)
    pictures = engine.sample([Draw("ada", context(edit), i) for i, edit in enumerate(pair)])
    for seed, (edit, picture) in enumerate(zip(pair, pictures, strict=True)):
        images = [source.open() for source in edit.sources]
        if name == "pix2pix":  # its images are as large as the picture
            images = [image.resize((8, 16), Image.Resampling.LANCZOS) for image in images]
        image = policy(
            prompt=edit.instruction,
            image=images if len(images) > 1 else images[0],
            num_inference_steps=2,
            generator=torch.Generator().manual_seed(seed),
            output_type="np",
            **CALLS[name],
        ).images[0]
        assert np.abs(np.asarray(picture.open()) - image * 255).max() < 1.01


def test_a_source_is_encoded_once(
    edits: MakeEditor,
    sources: list[Picture],
    tall: list[Picture],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("pix2pix", "qwen"):
        engine = edits(name, train="frozen")
        pair = pair_of(name, sources, tall)
        first = [Request("ada", context(edit), edit.image, noise=NOISE) for edit in pair]
        found = engine.log_prob(first, reference=False)
        pipeline = engine._weights["ada"].resident.pipeline

        def never(*args: object, **settings: object) -> None:
            raise AssertionError("encoded again")

        monkeypatch.setattr(pipeline.vae.encoder, "forward", never)
        monkeypatch.setattr(pipeline.text_encoder, "forward", never)
        assert torch.equal(engine.log_prob(first, reference=False), found)
        # Another picture under the same instruction is another prompt.
        other = Request("ada", context(pair[0]._replace(sources=sources[1:2])), tall[0])
        assert engine.fingerprint(other) != engine.fingerprint(first[0])
