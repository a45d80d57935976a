"""What a pair with images counts: the published loss, and each kind of pair by hand."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from diffusers import DDPMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from torch import Tensor, nn

import sysgraph
from sysgraph.engines import Request
from sysgraph.engines.diffusion.noise import normals
from sysgraph.latent import Trajectory
from sysgraph.objectives.diffusion import noise_seeds, timesteps_of
from sysgraph.traces.pair import Pair
from sysgraph.traces.pictures import Picture
from sysgraph.traces.trace import Completion
from sysgraph.training.direct import Batch, Observed, Terms
from sysgraph.training.pairs import PairTable, tabulate
from sysgraph.training.reference_cache import ReferenceCache
from sysgraph.training.sampling import Marginal
from tests.losses import losses_of

Build = Callable[..., sysgraph.Graph]
Jitter = Callable[..., None]


def reference_of(system: sysgraph.System, table: PairTable) -> Tensor:
    """The reference's values of what repeats; NaN for what must not be asked of it."""
    values = torch.full((len(table.requests) + 1,), torch.nan)
    values[-1] = 0
    visits = range(max(table.sets.tolist()) * len(table))
    numbers = table.referenced(visits)
    values[numbers] = system.score([table.requests[r] for r in numbers], reference=True)
    return values


def terms_of(system: sysgraph.System, table: PairTable, visits: Sequence[int]) -> Terms:
    batch = Batch(table, visits)
    with torch.no_grad():
        return batch.terms(
            system.score(batch.requests),
            reference_of(system, table),
            system.score(batch.renewed, reference=True),
        )


def published_losses(
    folder: Path,
    policy: nn.Module,
    rows: Sequence[Pair],
    keys: Sequence[object],
) -> Tensor:
    """The loss of each pair as Diffusion-DPO's train.py has it, beta_dpo 60 and 2 draws an image.

    Args:
        folder: the pipeline before training.
        policy: the UNet.
        rows: pairs for `one_image`.
        keys: what decides each pair's draws.
    """
    pipeline = StableDiffusionPipeline.from_pretrained(folder, use_safetensors=True)
    scheduler = DDPMScheduler.from_pretrained(folder, subfolder="scheduler")
    losses = []
    for pair, key in zip(rows, keys, strict=True):
        seeds = noise_seeds(key, "image", 2)
        sides = [side.values["image"] for side in (pair.chosen, pair.rejected)]
        pixels = torch.stack([torch.from_numpy(np.array(p.open())) for p in sides])
        ids = pipeline.tokenizer(
            pair.chosen["prompt"], padding="max_length", truncation=True, return_tensors="pt"
        ).input_ids
        with torch.no_grad():
            x = pixels.permute(0, 3, 1, 2) / 127.5 - 1
            latents = pipeline.vae.encode(x).latent_dist.mode() * pipeline.vae.config.scaling_factor
            text = pipeline.text_encoder(ids)[0]
        inside = torch.zeros(())
        for t, seed in zip(timesteps_of(seeds, 1000), seeds, strict=True):
            noise = normals([seed], latents.shape[1:]).repeat(2, 1, 1, 1)
            steps = torch.tensor([t, t])
            seen = scheduler.add_noise(latents, noise, steps), steps, text.repeat(2, 1, 1)
            errors = (policy(*seen).sample - noise).pow(2).mean(dim=[1, 2, 3])
            with torch.no_grad():
                before = (pipeline.unet(*seen).sample - noise).pow(2).mean(dim=[1, 2, 3])
            inside = inside + (errors[0] - errors[1]) - (before[0] - before[1])
        losses.append(-F.logsigmoid(-0.5 * 60 * inside / 2))
    return torch.stack(losses)


@pytest.mark.parametrize("bank", [None, 2])
def test_one_image_is_diffusion_dpo(
    one_image: Build,
    pipeline: Path,
    image_rows: Path,
    jitter: Jitter,
    tmp_path: Path,
    bank: int | None,
) -> None:
    """Loss and gradients, at a later visit of some rows, whose noise is another."""
    graph = one_image(
        {"beta": 1.0}, train="full", objective={"scale": 60.0, "draws": 2, "bank": bank}
    )
    program = sysgraph.compile(graph)
    system = sysgraph.System(program, device="cpu")
    pairs = sysgraph.load_pairs(program, image_rows)
    table = tabulate(system, pairs, seed=5)
    reference = reference_of(system, table)
    jitter(system)
    visits = [3, 1, 6 + 3, 3 * 6 + 2]  # of 6 rows
    losses, totals = losses_of(system, Observed(system, table, visits, reference))
    system.save(tmp_path)
    unet = UNet2DConditionModel.from_pretrained(tmp_path / "painter" / "unet")
    sets = [0, 0, 1, 3 if bank is None else 3 % bank]
    keys = [(5, visit % 6, number) for visit, number in zip(visits, sets, strict=True)]
    wanted = published_losses(pipeline, unet, [pairs[v % 6] for v in visits], keys)
    assert (wanted - 0.6931).abs().min() > 1e-3, "policy and reference differ"
    assert (wanted[0] - wanted[2]).abs() > 1e-3, "as do the visits of one pair"
    torch.testing.assert_close(losses, wanted, rtol=1e-4, atol=1e-5)
    wanted.sum().backward()
    losses.sum().backward()
    ours = system.parameters("painter")
    for name, parameter in unet.named_parameters():
        gradient = ours[name].grad
        assert gradient is not None, name
        assert parameter.grad is not None, name
        assert (gradient - parameter.grad).norm() <= 1e-3 * parameter.grad.norm() + 1e-5, name
    margin = totals.means()["rewards/margins/image"]
    assert margin == pytest.approx(totals.means()["rewards/margins"], rel=1e-5)


def test_each_kind_of_pair_by_hand(
    story: Build, story_rows: Path, pictures: list[Picture], jitter: Jitter
) -> None:
    program = sysgraph.compile(story(objective={"draws": 2}))
    system = sysgraph.System(program, device="cpu")
    jitter(system)
    table = tabulate(system, sysgraph.load_pairs(program, story_rows), seed=3)
    visits = [5 + 0, 5 + 1, 2, 3, 4]
    terms = terms_of(system, table, visits)
    assert table.terms == ("text", "image[1]", "image[2]", "image[3]")
    assert terms.compared.tolist() == [
        [True, True, True, False],
        [True, True, True, False],  # the loser has no images; the winner's count
        [False, False, True, False],  # one text; the first images agree
        [True, False, True, False],  # one caption and image agree; the others' caption does not
        [True, True, True, True],
    ]
    a, b, c, d, e = pictures[:5]
    sides = [
        ([("fog", a), ("owl", b)], [("fox", c), ("sun", d)]),
        ([("fog", a), ("owl", b)], []),
        ([("fog", a), ("owl", b)], [("fog", a), ("owl", c)]),
        ([("fog", a), ("owl", b)], [("fog", a), ("sun", b)]),
        ([("fog", a), ("owl", b)], [("x", c), ("y", d), ("z", e)]),
    ]
    wanted = torch.zeros(2, 5, 3)
    with torch.no_grad():
        for row, pair in enumerate(sides):
            for side, images in enumerate(pair):
                for i, (caption, picture) in enumerate(images):
                    key = (3, row, visits[row] // 5)
                    noise = noise_seeds(key, f"image[{i + 1}]", 2)
                    request = [Request("painter", caption, picture, noise=noise)]
                    ratio = system.score(request) - system.score(request, reference=True)
                    wanted[side, row, i] = ratio.item() if terms.compared[row, i + 1] else 0.0
    torch.testing.assert_close(terms.ratios[..., 1:], wanted, rtol=1e-4, atol=1e-3)
    assert (wanted != 0).sum() == 4 + 2 + 2 + 2 + 5
    for row in (0, 1, 3, 4):
        assert (terms.ratios[:, row, 0] != 0).all()


def test_the_anchor_is_the_text_alone(story: Build, story_rows: Path, jitter: Jitter) -> None:
    """Of the second pair the chosen images are scored, and of none for the anchor."""
    found = []
    for anchor in (0.0, 0.5):
        program = sysgraph.compile(story({"anchor": anchor}))
        system = sysgraph.System(program, device="cpu")
        jitter(system)
        pairs = sysgraph.load_pairs(program, story_rows)
        table = tabulate(system, pairs)
        asked = Observed(system, table, range(5), reference_of(system, table))
        losses, totals = losses_of(system, asked)
        with torch.no_grad():
            nll = -system.log_prob([pair.chosen for pair in pairs])["text"] / len("fog;owl.")
        found.append((losses, nll, totals.means()["nll/chosen"]))
    (plain, _, _), (anchored, nll, shown) = found
    torch.testing.assert_close(anchored - plain, 0.5 * nll, rtol=1e-4, atol=1e-5)
    assert shown == pytest.approx(nll.mean().item(), rel=1e-5)


def test_ipo_counts_an_image_as_a_token(story: Build, story_rows: Path, jitter: Jitter) -> None:
    program = sysgraph.compile(story({"loss": "ipo", "beta": 0.5}))
    system = sysgraph.System(program, device="cpu")
    jitter(system)
    table = tabulate(system, sysgraph.load_pairs(program, story_rows))
    asked = Observed(system, table, range(5), reference_of(system, table))
    losses, _ = losses_of(system, asked)
    ratios = terms_of(system, table, range(5)).ratios.sum(-1)
    lengths = torch.tensor([[10.0] * 5, [10, 12, 10, 10, 9]])  # with the end token, and images
    margin = ratios[0] / lengths[0] - ratios[1] / lengths[1]
    torch.testing.assert_close(losses, (margin - 1) ** 2)


def test_an_image_beside_a_sum_over_texts(
    one_image: Build,
    checkpoint: Callable[..., Path],
    images: list[Path],
    write_pairs: Callable[..., Path],
    jitter: Jitter,
) -> None:
    """With one trajectory the sum is its term, and the pair's loss that of the whole trace."""
    plain = json.loads(one_image({"anchor": 0.5}).model_dump_json(exclude_unset=True))
    plain["models"]["writer"] = {"kind": "causal_lm", "id": str(checkpoint())}
    plain["nodes"]["draft"] = {"kind": "lm", "model": "writer", "prompt": "{{ prompt }}"}
    plain["nodes"]["answer"] = {"kind": "lm", "model": "writer", "prompt": "{{ draft }}"}
    plain["edges"] += ["prompt -> draft", "draft -> answer"]
    plain["outputs"] = ["answer", "image"]
    program = sysgraph.compile(sysgraph.load(json.dumps(plain)))
    system = sysgraph.System(program, device="cpu")
    jitter(system)
    sides = [{"answer": "yes", "image": str(images[0])}, {"answer": "no", "image": str(images[1])}]
    pairs = sysgraph.load_pairs(program, write_pairs([({"prompt": "fox"}, *sides)]))
    table = tabulate(system, pairs, seed=7)
    remembered = ReferenceCache(system)
    drawn = {0: (Trajectory({"draft": Completion("hm")}),)}
    with torch.no_grad():
        asked = Marginal(system, table, [4], reference_of(system, table), drawn, remembered)
        losses, totals = losses_of(system, asked)
        total, nll = [], []
        for side, length in ((pairs[0].chosen, 3 + 4), (pairs[0].rejected, 3 + 3)):
            noise = noise_seeds((7, 0, 4), "image", 1)
            asked = [
                Request("writer", "fox", Completion("hm")),
                Request("writer", "hm", Completion(str(side["answer"]))),
                Request("painter", "fox", side.values["image"], noise=noise),
            ]
            policy, before = system.score(asked), system.score(asked, reference=True)
            total.append((policy - before).sum())
            nll.append(-policy[:2].sum() / length)
    wanted = -F.logsigmoid(0.1 * (total[0] - total[1])) + 0.5 * nll[0]
    assert (losses[0] - 0.5 * nll[0] - 0.6931).abs() > 0.01
    torch.testing.assert_close(losses[0], wanted, rtol=1e-4, atol=1e-4)
    assert totals.means()["nll/chosen"] == pytest.approx(nll[0].item(), rel=1e-4)


def test_policy_reference_and_sides_share_the_noise(
    story: Build, story_rows: Path, pictures: list[Picture]
) -> None:
    program = sysgraph.compile(story(objective={"draws": 3}))
    system = sysgraph.System(program, device="cpu")
    table = tabulate(system, sysgraph.load_pairs(program, story_rows), seed=1)
    batch = Batch(table, [0, 5, 9])
    images = [r for r in batch.requests if isinstance(r.value, Picture)]
    assert set(images) == set(batch.renewed), "the reference is asked for the very same"
    noise = {(r.context, r.noise) for r in images}
    by_caption: dict[str, list[tuple[int, ...]]] = {}
    for caption, seeds in sorted(noise):
        by_caption.setdefault(str(caption), []).append(seeds)
    assert [len(by_caption[c]) for c in ("fog", "fox", "x", "z")] == [3, 2, 1, 1], "a set a visit"
    assert set(by_caption["fox"]) <= set(by_caption["fog"]), "one for the sides' first images"
    steps = {
        c: {tuple(timesteps_of(s, 1000)) for s in several} for c, several in by_caption.items()
    }
    assert steps["fog"] == steps["owl"], "one timestep for the images of a side"
    assert set(by_caption["fog"]).isdisjoint(by_caption["owl"]), "and noises of their own"


def test_held_out_pairs_keep_their_noise(one_image: Build, image_rows: Path) -> None:
    program = sysgraph.compile(one_image())
    system = sysgraph.System(program, device="cpu")
    table = tabulate(system, sysgraph.load_pairs(program, image_rows), held_out=True)
    assert Batch(table, [0, 6, 18]).requests == Batch(table, [0]).requests
    noises = {request.noise for request in table.requests}
    assert len(noises) == 6, "one set a pair, whose sides share it"
    assert () not in noises
