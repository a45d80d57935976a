"""A pair's loss and gradients are those of the published code, on the same noise and timesteps."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from diffusers import (
    DDPMScheduler,
    DiffusionPipeline,
    UNet2DConditionModel,
)
from torch import Tensor, nn

from sysgraph.engines import Request
from sysgraph.engines.diffusion import DiffusionEngine
from sysgraph.engines.diffusion.noise import normals
from sysgraph.objectives.diffusion import noise_seeds, timesteps_of
from sysgraph.objectives.direct import direct_loss, log_ratios
from sysgraph.traces.pictures import Picture
from sysgraph_schemas import Fit

MakeEngine = Callable[..., DiffusionEngine]
CHOSEN, REJECTED = "a red fox", "two owls"
NOISE = noise_seeds("pair", "image", 1)


def published_loss(
    folder: Path, unet: nn.Module, pair: list[Picture], inside: Callable[[Tensor, Tensor], Tensor]
) -> Tensor:
    """The loss of one pair as train.py of either repository writes it, with a caption a side.

    Args:
        folder: the pipeline before training.
        unet: the policy.
        pair: chosen and rejected image.
        inside: what stands inside the sigmoid, from the model's and the reference's
            loss of the chosen minus that of the rejected image.
    """
    pipeline = DiffusionPipeline.from_pretrained(folder, use_safetensors=True)
    scheduler = DDPMScheduler.from_pretrained(folder, subfolder="scheduler")
    pixels = torch.stack([torch.from_numpy(np.array(p.open())) for p in pair])
    with torch.no_grad():
        latents = pipeline.vae.encode(pixels.permute(0, 3, 1, 2) / 127.5 - 1).latent_dist.mode()
        latents = latents * pipeline.vae.config.scaling_factor
    noise = normals(NOISE, latents.shape[1:]).repeat(2, 1, 1, 1)
    steps = torch.tensor(timesteps_of(NOISE, scheduler.config.num_train_timesteps)).repeat(2)
    noisy = scheduler.add_noise(latents, noise, steps)
    if scheduler.config.prediction_type == "epsilon":
        target = noise
    else:
        target = scheduler.get_velocity(latents, noise, steps)
    conditions = conditions_of(pipeline)

    def difference(model: nn.Module) -> Tensor:
        predicted = model(noisy, steps, **conditions).sample
        losses = (predicted - target).pow(2).mean(dim=[1, 2, 3])
        return losses[0] - losses[1]

    with torch.no_grad():
        reference = difference(pipeline.unet)
    return -F.logsigmoid(inside(difference(unet), reference))


@torch.no_grad()
def conditions_of(pipeline: Any) -> dict[str, Any]:
    """What the UNet takes of the two captions, from the text encoders themselves."""

    def ids(tokenizer: Any) -> Tensor:
        out = tokenizer(
            [CHOSEN, REJECTED],
            padding="max_length",
            truncation=True,
            max_length=tokenizer.model_max_length,
            return_tensors="pt",
        ).input_ids
        assert isinstance(out, Tensor)
        return out

    if not hasattr(pipeline, "text_encoder_2"):
        return {"encoder_hidden_states": pipeline.text_encoder(ids(pipeline.tokenizer))[0]}
    first = pipeline.text_encoder(ids(pipeline.tokenizer), output_hidden_states=True)
    second = pipeline.text_encoder_2(ids(pipeline.tokenizer_2), output_hidden_states=True)
    return {
        "encoder_hidden_states": torch.cat(
            [first.hidden_states[-2], second.hidden_states[-2]], dim=-1
        ),
        "added_cond_kwargs": {
            "text_embeds": second[0],
            "time_ids": torch.tensor([[8.0, 8, 0, 0, 8, 8]] * 2),
        },
    }


def our_loss(engine: DiffusionEngine, pair: list[Picture], beta: float = 1.0) -> Tensor:
    """The Direct loss of a system of one diffusion node."""
    requests = [
        Request("ada", CHOSEN, pair[0], noise=NOISE),
        Request("ada", REJECTED, pair[1], noise=NOISE),
    ]
    policy = engine.log_prob(requests, reference=False).view(2, 1, 1)
    with torch.no_grad():
        reference = engine.log_prob(requests, reference=True).view(2, 1, 1)
    ratios = log_ratios(policy, reference, torch.ones(1, 1, dtype=torch.bool))
    return direct_loss(ratios, torch.ones(2, 1, 1), Fit(beta=beta)).sum()


CONVENTIONS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "diffusion_dpo": lambda model, reference: -0.5 * 60 * (model - reference),
    "diffusers": lambda model, reference: 60 * (reference - model),
}


@pytest.mark.parametrize("preset", CONVENTIONS)
@pytest.mark.parametrize("pipeline", ["sd", "sd-v", "sdxl", "sdxl-v"])
def test_full_training_has_the_published_loss_and_gradients(
    make: MakeEngine,
    folders: dict[str, Path],
    jitter: Callable[..., None],
    pictures: list[Picture],
    tmp_path: Path,
    pipeline: str,
    preset: str,
) -> None:
    engine = make(pipeline, train="full", objective={"preset": preset, "scale": 60.0})
    jitter(engine, 0.05)
    engine.save("ada", tmp_path)
    unet = UNet2DConditionModel.from_pretrained(tmp_path, subfolder="unet")
    wanted = published_loss(folders[pipeline], unet, pictures[:2], CONVENTIONS[preset])
    found = our_loss(engine, pictures[:2])
    assert abs(wanted.item() - 0.6931) > 0.01  # policy and reference differ
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)
    wanted.backward()
    found.backward()
    ours = engine.parameters("ada")
    for name, parameter in unet.named_parameters():
        gradient = ours[name].grad
        assert gradient is not None, name
        assert parameter.grad is not None, name
        assert (gradient - parameter.grad).norm() <= 1e-3 * parameter.grad.norm() + 1e-5, name


@pytest.mark.parametrize("pipeline", ["sd", "sdxl"])
def test_lora_training_has_the_published_loss(
    make: MakeEngine,
    folders: dict[str, Path],
    jitter: Callable[..., None],
    pictures: list[Picture],
    tmp_path: Path,
    pipeline: str,
) -> None:
    engine = make(pipeline, lora={"r": 2, "alpha": 6}, objective={"scale": 60.0})
    jitter(engine)
    engine.save("ada", tmp_path)
    policy = DiffusionPipeline.from_pretrained(folders[pipeline], use_safetensors=True)
    policy.load_lora_weights(tmp_path)
    wanted = published_loss(
        folders[pipeline], policy.unet, pictures[:2], CONVENTIONS["diffusion_dpo"]
    )
    found = our_loss(engine, pictures[:2])
    assert abs(wanted.item() - 0.6931) > 0.01
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)
    found.backward()
    for name, parameter in engine.parameters("ada").items():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().max() > 0, name


def test_beta_and_scale_are_one_product(
    make: MakeEngine, jitter: Callable[..., None], pictures: list[Picture]
) -> None:
    losses = []
    for scale, beta in ((60.0, 1.0), (600.0, 0.1)):
        engine = make(objective={"scale": scale})
        jitter(engine)
        losses.append(our_loss(engine, pictures[:2], beta))
    torch.testing.assert_close(losses[0], losses[1])


def test_guidance_is_no_part_of_the_likelihood(make: MakeEngine, pictures: list[Picture]) -> None:
    values = [
        make(train="frozen", guidance_scale=g).log_prob(
            [Request("ada", CHOSEN, pictures[0])], reference=False
        )
        for g in (1.0, 9.0)
    ]
    assert torch.equal(*values)


def test_each_side_has_its_own_caption(make: MakeEngine, pictures: list[Picture]) -> None:
    engine = make(train="frozen")
    request = Request("ada", CHOSEN, pictures[0], noise=NOISE)
    values = engine.log_prob([request, replace(request, context=REJECTED)], reference=False)
    assert values[0] != values[1]
