"""Draws, batches, stored latents: what may change an image's likelihood, and what may not."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from PIL import Image
from torch import nn

from sysgraph import Completion
from sysgraph.engines import Draw, Request
from sysgraph.engines.diffusion import DiffusionEngine, scoring
from sysgraph.engines.diffusion import engine as diffusion_engine
from sysgraph.engines.diffusion.noise_prediction import NoisePrediction
from sysgraph.engines.diffusion.prompts import Prompt
from sysgraph.objectives.diffusion import noise_seeds
from sysgraph.support.seeding import uniforms
from sysgraph.traces.pictures import Picture
from sysgraph.traces.prompt import ChatTurn

MakeEngine = Callable[..., DiffusionEngine]


def requests(pictures: list[Picture], draws: int = 2) -> list[Request]:
    captions = ["a red fox", "two owls", "fog", ""]
    return [
        Request("ada", caption, picture, noise=noise_seeds(i, "image", draws))
        for i, (caption, picture) in enumerate(zip(captions, pictures, strict=True))
    ]


@pytest.fixture
def passed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The rows of each forward pass."""
    sizes: list[int] = []
    forward = scoring.squared_errors

    def counted(predicted: torch.Tensor, *rest: Any) -> torch.Tensor:
        sizes.append(len(predicted))
        return forward(predicted, *rest)

    monkeypatch.setattr(scoring, "squared_errors", counted)
    return sizes


@pytest.mark.parametrize("pipeline", ["sd", "sdxl"])
def test_batches_do_not_show(
    make: MakeEngine, pictures: list[Picture], monkeypatch: pytest.MonkeyPatch, pipeline: str
) -> None:
    engine = make(pipeline, train="frozen")
    rows = requests(pictures)
    together = engine.log_prob(rows, reference=False)
    alone = torch.cat([engine.log_prob([row], reference=False) for row in rows])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=0)
    monkeypatch.setattr(diffusion_engine, "_PIXELS_PER_PASS", 3 * 16)  # three images a pass
    torch.testing.assert_close(engine.log_prob(rows, reference=False), together, rtol=1e-4, atol=0)
    backwards = engine.log_prob(rows[::-1], reference=False).flip(0)
    torch.testing.assert_close(backwards, together, rtol=1e-4, atol=0)


def test_equal_requests_are_scored_once(
    make: MakeEngine, pictures: list[Picture], passed: list[int]
) -> None:
    engine = make()
    rows = requests(pictures)
    values = engine.log_prob([*rows, rows[1], rows[0]], reference=False)
    assert passed == [8]  # four images, two draws each
    assert values[4] == values[1]
    assert values[5] == values[0]
    passed.clear()
    other = replace(rows[0], noise=noise_seeds("other", "image", 2))
    engine.log_prob([rows[0], other], reference=False)
    assert passed == [4]


def test_no_noise_means_the_fixed_draws(make: MakeEngine, pictures: list[Picture]) -> None:
    engine = make(objective={"draws": 3})
    bare = [Request("ada", "fog", pictures[0]), Request("ada", "fog", pictures[1])]
    first = engine.log_prob(bare, reference=False)
    assert torch.equal(engine.log_prob(bare, reference=False), first)
    assert torch.equal(engine.log_prob(bare, reference=True), first.detach())
    named = [replace(r, noise=noise_seeds("fixed", "", 3)) for r in bare]
    assert torch.equal(engine.log_prob(named, reference=False), first)


def test_no_requests_no_values(make: MakeEngine) -> None:
    assert make(train="frozen").log_prob([], reference=False).shape == (0,)


def test_more_draws_lower_the_variance(make: MakeEngine, pictures: list[Picture]) -> None:
    """Of 200 estimates by n draws the variance falls as 1/n or, by the strata, faster."""
    engine = make(train="frozen")
    estimates = {}
    with torch.no_grad():
        for draws in (1, 4):
            rows = [
                Request("ada", "fog", pictures[0], noise=noise_seeds(key, "image", draws))
                for key in range(200)
            ]
            estimates[draws] = engine.log_prob(rows, reference=False)
    # A variance of 200 samples is within 30 % of the true one in 99 cases of 100.
    assert estimates[4].var() < estimates[1].var() / 4 * 1.6
    spread = float((estimates[1].var() / 200 + estimates[4].var() / 200).sqrt())
    assert abs(float(estimates[1].mean() - estimates[4].mean())) < 4 * spread  # of one thing


def test_the_bound_sums_over_timesteps_and_pixels(
    make: MakeEngine, pictures: list[Picture]
) -> None:
    """`derivation` against its definition: T times the mean over t of w_t ||eps - eps_model||^2."""
    engine = make(train="frozen", objective={"preset": "derivation", "draws": 50})
    simple = make(train="frozen", objective={"reduction": "sum", "scale": 2.0, "draws": 1})
    noise = noise_seeds("a", "image", 50)
    (found,) = engine.log_prob([Request("ada", "fog", pictures[0], noise=noise)], reference=False)
    process = engine._weights["ada"].resident.process
    assert isinstance(process, NoisePrediction)
    schedule = process.schedule.alpha_bars.double()
    total = 0.0
    for i, seed in enumerate(noise):
        t = int((i + uniform(seed)) * 1000 / 50)
        # One draw alone would fall anywhere in [0, T): give it the seed of its own timestep.
        alone = Request("ada", "fog", pictures[0], noise=(seed,))
        error = error_at(simple, alone, t)
        before = schedule[t - 1] if t else torch.tensor(1.0).double()
        beta = 1 - schedule[t] / before
        total += float(beta / (2 * (1 - beta) * (1 - schedule[t]))) * error
    assert float(found) == pytest.approx(-1000 * total / 50, rel=1e-3)


def uniform(seed: int) -> float:
    return float(uniforms([seed >> 32], 1))


def error_at(engine: DiffusionEngine, request: Request, timestep: int) -> float:
    resident = engine._weights["ada"].resident
    assert isinstance(request.value, Picture)
    row = scoring.NoisedImage(
        Prompt(str(request.context)), request.value, timestep, request.noise[0]
    )
    module: nn.Module = resident.adapters.module(None)
    return float(scoring.errors(module, resident, [row], "sum")[0])


def test_stored_latents_are_what_is_scored(make: MakeEngine) -> None:
    """8-bit pixels and the VAE lose something of what was sampled."""
    engine = make(train="frozen")
    (drawn,) = engine.sample([Draw("ada", "a red fox", 0)])
    resident = engine._weights["ada"].resident
    final = drawn.latents(resident.autoencoder.name)
    assert final is not None
    assert torch.equal(resident.latents([drawn])[0], final)
    encoded = resident.latents([Picture("other", drawn.size, drawn.source)])[0]
    assert not torch.allclose(encoded, final, atol=1e-3)


def test_another_pipelines_latents_are_not_taken(make: MakeEngine) -> None:
    (drawn,) = make("sdxl", train="frozen").sample([Draw("ada", "a red fox", 0)])
    resident = make("sd", train="frozen")._weights["ada"].resident
    wanted = resident.autoencoder.encode([drawn.open()])[0]
    torch.testing.assert_close(resident.latents([drawn])[0], wanted)
    misplaced = Picture.drawn(drawn.open(), torch.zeros(4, 2, 2), resident.autoencoder.name)
    torch.testing.assert_close(resident.latents([misplaced])[0], wanted)


def test_what_cannot_be_scored(make: MakeEngine, pictures: list[Picture]) -> None:
    engine = make(train="frozen")
    assert engine.problem(Request("ada", "fog", pictures[0])) is None
    wide = Picture.drawn(Image.new("RGB", (16, 8)), torch.zeros(1), "x")
    said = engine.problem(Request("ada", "fog", wide))
    assert said is not None
    assert said.startswith("image ")
    assert "is 16 x 8 pixels, but model 'ada' draws 8 x 8" in said
    assert str(pictures[0].source) in str(
        make(train="frozen", height=16).problem(Request("ada", "fog", pictures[0]))
    )
    assert "text" in str(engine.problem(Request("ada", "fog", Completion("fox"))))
    turns = (ChatTurn("user", "fog"),)
    assert "chat" in str(engine.problem(Request("ada", turns, pictures[0])))
    assert engine.length(Request("ada", "fog", pictures[0])) == 1


def test_a_caption_that_is_cut_is_told(make: MakeEngine, pictures: list[Picture]) -> None:
    engine = make(train="frozen")
    fits = Request("ada", "a red fox 1", pictures[0])  # 8 letters, start and end
    assert engine.warning(fits) is None
    said = engine.warning(replace(fits, context="a red fox and so on"))
    assert said is not None
    assert "16 tokens" in said
    assert "reads 12" in said
