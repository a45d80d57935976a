"""What a flow's settings do, and pipelines and settings that do not go together."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import DiffusionPipeline

from sysgraph import GraphError, InputError
from sysgraph.engines import Draw, Request
from sysgraph.engines.diffusion import DiffusionEngine
from sysgraph.objectives.diffusion import noise_seeds, sigmas_of
from sysgraph.traces.pictures import Picture
from sysgraph_schemas import Diffusion

from .flow_folders import save_aura
from .published_flow import HEIGHT, WIDTH, velocity

MakeEngine = Callable[..., DiffusionEngine]
NOISE = noise_seeds("pair", "image", 1)


def test_an_image_may_be_scored_with_the_noise_that_it_was_drawn_from(
    flow: MakeEngine, flows: dict[str, Path], tall: list[Picture], tmp_path: Path
) -> None:
    """The seed is in its trace and its file; the numbers are those that the pipeline drew."""
    engine = flow("flux", train="frozen", objective={"noise": "drawn", "scale": 2.0})
    (drawn,) = engine.sample([Draw("ada", "fog", 7)])
    kept = Picture.read(drawn.write(tmp_path))
    assert (drawn.seed, kept.seed, tall[0].seed) == (7, 7, None)
    clean = kept.latents(engine._weights["ada"].resident.autoencoder.name)
    assert clean is not None
    noise = torch.randn(4, HEIGHT // 2, WIDTH // 2, generator=torch.Generator().manual_seed(7))
    (sigma,) = sigmas_of(NOISE, "logit_normal")
    pipeline = DiffusionPipeline.from_pretrained(flows["flux"], use_safetensors=True)
    x = (1 - sigma) * clean + sigma * noise
    with torch.no_grad():
        found = velocity(pipeline, pipeline.transformer, x, sigma, "fog")
    (value,) = engine.log_prob([Request("ada", "fog", kept, noise=NOISE)], reference=False)
    wanted = -(found - (noise - clean)).square().mean()
    torch.testing.assert_close(value, wanted, rtol=1e-4, atol=1e-5)
    again = flow("flux", train="frozen", objective={"scale": 2.0})
    for picture, same in ((kept, False), (tall[0], True)):
        rows = [Request("ada", "fog", picture, noise=NOISE)]
        assert torch.equal(*(e.log_prob(rows, reference=False) for e in (engine, again))) == same


def test_captions_of_any_length_and_draws_of_any_number_go_together(
    flow: MakeEngine, tall: list[Picture]
) -> None:
    engine = flow("qwen", objective={"draws": 2, "timesteps": "unpaired"})
    captions = ["a red fox", "fog", "two owls", "fog"]
    noise = noise_seeds("pair", "image", 2)
    rows = [Request("ada", c, tall[i % 2], noise=noise) for i, c in enumerate(captions)]
    together = engine.log_prob(rows, reference=False)
    alone = torch.cat([engine.log_prob([row], reference=False) for row in rows])
    torch.testing.assert_close(together, alone, rtol=1e-5, atol=0)
    assert torch.equal(
        together, engine.log_prob(rows, reference=True)
    )  # policy and reference share
    assert together[1] == together[3]
    # The sides of a pair do not: neither times nor noises.
    seeds = [engine._noise(row) for row in rows[:2]]
    assert set(seeds[0]).isdisjoint(seeds[1])
    assert set(sigmas_of(seeds[0], "uniform")).isdisjoint(sigmas_of(seeds[1], "uniform"))


def test_a_reference_that_follows(
    flow: MakeEngine, jitter: Callable[..., None], tall: list[Picture]
) -> None:
    """An average of weights, as `fit.reference` has it: the policy of another engine."""
    engine, other = flow("sd3", gradient_checkpointing=True), flow("sd3")
    jitter(engine)
    rows = [Request("ada", "fog", tall[0], noise=NOISE)]
    average = {k: 0.25 * p.detach().clone() for k, p in engine.parameters("ada").items()}
    engine.set_reference("ada", average)
    with torch.no_grad():
        for name, parameter in other.parameters("ada").items():
            parameter.copy_(average[name])
    wanted = other.log_prob(rows, reference=False)
    torch.testing.assert_close(engine.log_prob(rows, reference=True), wanted.detach())
    # And recomputing layers in the backward pass changes nothing.
    with torch.no_grad():
        for name, parameter in engine.parameters("ada").items():
            parameter.copy_(average[name])
    (one,) = engine.passes(rows, reference=False, gradients=True)
    one.run().sum().backward()
    wanted.sum().backward()
    for name, parameter in engine.parameters("ada").items():
        torch.testing.assert_close(parameter.grad, other.parameters("ada")[name].grad)


def test_half_precision_and_a_text_encoder_less(
    flow: MakeEngine, flows: dict[str, Path], tall: list[Picture], tmp_path: Path
) -> None:
    """Stable Diffusion 3 without its T5, as it is often run; the VAE stays float32."""
    folder = shutil.copytree(flows["sd3"], tmp_path / "sd3")
    index = folder / "model_index.json"
    declared = {**json.loads(index.read_text()), "text_encoder_3": [None, None]}
    index.write_text(json.dumps({**declared, "tokenizer_3": [None, None]}))
    rows = [Request("ada", "fog", tall[0], noise=NOISE)]
    values = [
        flow("sd3", id=str(folder), train="frozen", dtype=dtype).log_prob(rows, reference=False)
        for dtype in ("float32", "bfloat16")
    ]
    torch.testing.assert_close(values[1], values[0], rtol=0.03, atol=0)
    told = flow("sd3", id=str(folder), train="frozen").warning(replace(rows[0], context="x" * 20))
    assert told is not None
    assert "has 22 tokens" in told
    assert "reads 12" in told


def test_a_class_that_nothing_here_names(
    flow: MakeEngine, tall: list[Picture], tmp_path: Path
) -> None:
    """AuraFlow, whose transformer takes one time for all rows: so it scores them one at a time."""
    folder = save_aura(tmp_path / "aura")
    engine = flow("sd3", id=str(folder), lora={"r": 2, "alpha": 4})
    rows = [Request("ada", c, p, noise=NOISE) for c, p in zip(("fog", "owls"), tall, strict=True)]
    assert [one.rows for one in engine.passes(rows, reference=False)] == [(0,), (1,)]
    pipeline = DiffusionPipeline.from_pretrained(folder, use_safetensors=True)
    pipeline.set_progress_bar_config(disable=True)
    (drawn,) = engine.sample([Draw("ada", "fog", 3)])
    image = pipeline(
        "fog",
        height=HEIGHT,
        width=WIDTH,
        num_inference_steps=2,
        generator=torch.Generator().manual_seed(3),
        output_type="np",
    ).images[0]
    assert np.abs(np.asarray(drawn.open()) - image * 255).max() < 1.01


def test_sizes_and_samplers_that_a_flow_cannot_have(flow: MakeEngine) -> None:
    engine = flow("zimage", train="frozen")
    process, spec = engine._weights["ada"].resident.process, engine._specs["ada"]
    for wrong, said in (
        ({"height": 10}, "draws no images of 8 x 10 pixels .*divisible by 4"),
        ({"scheduler": "ddim"}, "sampled by its pipeline's own scheduler: leave out"),
    ):
        with pytest.raises(InputError, match=said):
            process.size("ada", spec.model_copy(update=wrong))


def test_objectives_of_the_other_kind(
    flow: MakeEngine, make: MakeEngine, tall: list[Picture], pictures: list[Picture]
) -> None:
    engine = make(train="frozen", objective={"preset": "flow_dpo"})
    said = engine.problem(Request("ada", "fog", pictures[0]))
    assert said is not None
    assert "trained to predict noise" in said
    assert "{preset: diffusion_dpo}` (or diffusers, derivation)" in said
    with pytest.raises(InputError, match=r"is trained by flow matching, and .* flow_dpo}"):
        flow("zimage", objective={"preset": "diffusers"})
    with pytest.raises(GraphError, match="has timesteps, and no `sigmas`"):
        Diffusion(id="painter", objective={"sigmas": "uniform"})  # type: ignore[arg-type]
    # A painter that is not trained needs none to draw, and is not scored under a wrong one.
    engine = flow("qwen", train="frozen", objective={"preset": "diffusion_dpo"})
    assert engine.sample([Draw("ada", "fog", 0)])[0].size == (WIDTH, HEIGHT)
    assert "flow_dpo" in str(engine.problem(Request("ada", "fog", tall[0])))
