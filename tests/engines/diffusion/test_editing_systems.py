"""Editors in systems: where their pictures come from, and what is refused before anything runs."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import sysgraph
from sysgraph import InputError, System
from sysgraph.engines import Draw, Request
from sysgraph.engines.diffusion import DiffusionEngine
from sysgraph.objectives.diffusion import noise_seeds
from sysgraph.traces.pictures import Picture
from sysgraph.traces.prompt import Illustrated

from .edit_folders import save_pix2pix, small_area

MakeEngine = Callable[..., DiffusionEngine]
NOISE = noise_seeds("pair", "image", 1)


def system(models: dict[str, Any], nodes: dict[str, Any], edges: list[str], output: str) -> System:
    graph = {
        "sysgraph": 1,
        "name": "editing",
        "models": {
            name: {"kind": "diffusion", "train": "frozen", "inference_steps": 2, **spec}
            for name, spec in models.items()
        },
        "nodes": nodes,
        "edges": edges,
        "outputs": [output],
    }
    return System(sysgraph.compile(sysgraph.load(json.dumps(graph))), device="cpu")


def one(folder: Path, prompt: str, **settings: Any) -> System:
    """A node that sees a text and two pictures."""
    used = [name for name in ("a", "b", "said") if f" {name} " in prompt]
    inputs = {name: {"kind": "input", "type": "image"} for name in ("a", "b")}
    nodes = {**inputs, "said": {"kind": "input"}}
    return system(
        {"ada": {"id": str(folder), "width": 8, "height": 16, **settings}},
        {
            **{name: nodes[name] for name in used},
            "edited": {"kind": "diffusion", "model": "ada", "prompt": prompt},
        },
        [f"{', '.join(used)} -> edited"],
        "edited",
    )


def test_a_painter_draws_what_an_editor_edits(
    folders: dict[str, Path], editors: dict[str, Path]
) -> None:
    """The value that crosses is a picture: the editor sees the pixels that the painter gave."""
    chain = system(
        {
            "ada": {"id": str(folders["sd"])},
            "bo": {"id": str(editors["pix2pix"]), "width": 16, "height": 8},
        },
        {
            "caption": {"kind": "input"},
            "drawn": {"kind": "diffusion", "model": "ada", "prompt": "{{ caption }}"},
            "edited": {"kind": "diffusion", "model": "bo", "prompt": "two owls {{ drawn }}"},
        },
        ["caption -> drawn", "drawn -> edited"],
        "edited",
    )
    traces = chain.sample({"caption": "fog"}, n=2, seed=0)
    drawn, edited = ([t.values[name] for t in traces] for name in ("drawn", "edited"))
    assert all(isinstance(value, Picture) for value in (*drawn, *edited))
    assert [value.size for value in (*drawn, *edited)] == [(8, 8)] * 2 + [(16, 8)] * 2  # type: ignore[union-attr]
    asked = [
        Request("bo", Illustrated(["two owls ", source]), value)  # type: ignore[list-item,arg-type]
        for source, value in zip(drawn, edited, strict=True)
    ]
    found = chain.log_prob(traces)
    assert torch.equal(found["edited"], chain.score(asked))
    swapped = [replace(asked[i], context=asked[1 - i].context) for i in range(2)]
    assert not torch.allclose(chain.score(swapped), found["edited"], rtol=1e-3)


KONTEXT = "a FluxKontextPipeline edits one picture, and there are 2"


@pytest.mark.parametrize(
    ("editor", "prompt", "said"),
    [
        (
            "pix2pix",
            "{{ said }}",
            "edited: model 'ada': a StableDiffusionInstructPix2PixPipeline ed",
        ),
        (
            "qwen",
            "{{ said }}",
            "QwenImageEditPipeline edits a picture, and there is none in the pro",
        ),
        ("kontext", "{{ a }} {{ b }} {{ said }}", f"edited: model 'ada': {KONTEXT}"),
        ("pix2pix", "{% if said %}{{ a }}{% endif %}", None),
        ("qwen_plus", "{{ a }} {{ b }} {{ said }}", None),
        ("kontext", "{{ said }}", None),
    ],
)
def test_pictures_are_counted_when_models_are_loaded(
    editor: str,
    prompt: str,
    said: str | None,
    editors: dict[str, Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    small_area(monkeypatch)
    preset = "diffusion_dpo" if editor == "pix2pix" else "flow_dpo"
    if said is None:
        one(editors[editor], prompt, objective={"preset": preset})
        return
    with pytest.raises(InputError, match=said):
        one(editors[editor], prompt, objective={"preset": preset})


def test_a_painter_takes_no_picture(folders: dict[str, Path]) -> None:
    said = "a StableDiffusionPipeline draws from captions alone, and there is a picture .*Kontext"
    with pytest.raises(InputError, match=said):
        one(folders["sd"], "{{ a }} {{ said }}")
    with pytest.raises(InputError, match="`image_guidance_scale` is for pipelines that edit"):
        one(folders["sd"], "{{ said }}", image_guidance_scale=1.5, train="lora")
    # Where values decide, the prompt is refused when it is there.
    asked = one(folders["sd"], "{% if said %}{{ a }}{% endif %}{{ said }}")
    grey = Picture.of(Image.new("RGB", (8, 16)))
    with pytest.raises(InputError, match="draws from captions alone"):
        asked.sample({"a": grey, "said": "fog"}, seed=0)


def test_a_unet_without_channels_for_a_picture(tmp_path: Path, tall: list[Picture]) -> None:
    folder = save_pix2pix(tmp_path / "narrow", in_channels=4)
    with pytest.raises(InputError, match="takes 4 channels, its images have 4 and as many of"):
        one(folder, "{{ a }} {{ said }}")


def test_pictures_that_are_too_small(edits: MakeEngine) -> None:
    draw = Draw("ada", Illustrated([Picture.of(Image.new("RGB", (90, 3))), " fog"]), 0)
    engine = edits("kontext", train="frozen")
    said = "is 90 x 3 pixels, and a FluxKontextPipeline edits none under 4 a side"
    with pytest.raises(InputError, match=said):
        engine.sample([draw])
    assert edits("pix2pix", train="frozen").refusal(draw) is None


@pytest.mark.parametrize("name", ["pix2pix", "qwen"])
def test_recomputed_layers_and_half_precision(
    name: str,
    edits: MakeEngine,
    jitter: Callable[..., None],
    sources: list[Picture],
    tall: list[Picture],
) -> None:
    """Recomputing changes no gradient; bfloat16 little, with the VAE in float32."""
    rows = [
        Request("ada", Illustrated([source, " fog"]), image, noise=NOISE)
        for source, image in zip(sources, tall, strict=False)
    ]
    engines = [
        edits(name, lora={"r": 2, "alpha": 4}, **settings)
        for settings in ({}, {"gradient_checkpointing": True}, {"dtype": "bfloat16"})
    ]
    values, gradients = [], []
    for engine in engines:
        jitter(engine, 0.05)
        found = engine.log_prob(rows, reference=False)
        found.sum().backward()
        values.append(found.detach())
        gradients.append([p.grad for p in engine.parameters("ada").values()])
    assert torch.equal(values[1], values[0])
    for one_, other in zip(gradients[1], gradients[0], strict=True):
        torch.testing.assert_close(one_, other)
    torch.testing.assert_close(values[2], values[0], rtol=0.05, atol=0)
    (drawn,) = engines[2].sample([Draw("ada", rows[0].context, 0)])
    (whole,) = engines[0].sample([Draw("ada", rows[0].context, 0)])
    pixels = [np.asarray(p.open(), np.float32) for p in (drawn, whole)]
    assert np.abs(pixels[0] - pixels[1]).mean() < 20
    assert engines[2]._weights["ada"].resident.pipeline.vae.dtype == torch.float32
