"""The editor of the world "progression", the photos that it is given, and how edits are scored."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from sysgraph import Trace, toys
from sysgraph.measuring.scorers.progression import retouch
from sysgraph.toys.progression import likeness, measured
from sysgraph.toys.progression.gallery import make_edits
from sysgraph.toys.progression.scenes import SIZE, render
from sysgraph.toys.progression.world import ATTRIBUTES, LEVELS, intensity
from sysgraph.traces.pictures import Picture

diffusers = pytest.importorskip("diffusers")


def image_of(pixels: torch.Tensor) -> Image.Image:
    """Of [3, H, W] in -1 to 1."""
    levels = (pixels.permute(1, 2, 0).numpy() + 1) * 127.5
    return Image.fromarray(levels.round().astype(np.uint8))


def test_the_folder_is_an_instruct_pix2pix(quick_recipes: Path) -> None:
    pipeline = diffusers.StableDiffusionInstructPix2PixPipeline.from_pretrained(
        toys.model_folder("toy:editor"), safety_checker=None, use_safetensors=True
    )
    pipeline.set_progress_bar_config(disable=True)
    images = [row["photo"] for row in toys.inputs("toy:retouch/test")[:2]]
    found = pipeline(
        ["very red lake", "not foggy house"],
        image=images,
        num_inference_steps=2,
        generator=torch.Generator().manual_seed(0),
    ).images
    assert [image.size for image in (*images, *found)] == [(SIZE, SIZE)] * 4


def test_edits_change_what_is_asked_for_and_nothing_else() -> None:
    edits = make_edits(200, looseness=0.3, seed=1)
    meant, became, moved, alike = [], [], [], []
    for source, image, text in zip(
        edits.sources, edits.gallery.images, edits.gallery.captions, strict=True
    ):
        before, after = image_of(source), image_of(image)
        word, adjective, _ = text.split()
        for attribute in ATTRIBUTES:
            if attribute.adjective == adjective:
                meant.append(intensity(LEVELS.index(word)))
                became.append(measured(attribute, after))
            else:
                moved.append(abs(measured(attribute, after) - measured(attribute, before)))
        alike.append(likeness(before, after))
    assert 0.5 < np.corrcoef(meant, became)[0, 1] < 0.8  # loosely, as a painter does
    assert np.median(moved) < 0.02
    assert np.median(alike) > 0.97


def test_photos_are_of_what_the_prompt_is_about() -> None:
    rows = {split: toys.inputs(f"toy:retouch/{split}") for split in ("train", "test")}
    assert [len(several) for several in rows.values()] == [216, 72]
    asked = [{k: v for k, v in row.items() if k != "photo"} for row in rows["test"]]
    assert asked == toys.inputs("toy:progression/test")
    again = toys.inputs("toy:retouch/test")
    assert all(
        one["photo"].tobytes() == other["photo"].tobytes()
        for one, other in zip(rows["test"], again, strict=True)
    )
    values = [measured(ATTRIBUTES[1], row["photo"]) for row in rows["train"]]
    assert abs(np.mean(values) - ATTRIBUTES[1].usual) < 0.02


def test_an_edit_is_scored_by_what_shows_and_by_what_stays() -> None:
    def drawn(scene: str, redness: float, seed: int) -> Picture:
        values = {a.name: a.usual for a in ATTRIBUTES} | {"redness": redness}
        pixels = render(scene, values, np.random.default_rng(seed))
        return Picture.of(Image.fromarray((pixels * 255).round().astype(np.uint8)))

    photo = drawn("lake", 0.3, 0)
    edits = [drawn("lake", 0.8, 0), drawn("lake", 0.5, 0), drawn("house", 0.8, 1)]
    traces = [
        Trace({"photo": photo}, {"edited": edit}, ("edited",), extra={"attribute": "redness"})
        for edit in edits
    ]
    red, less, other = retouch(traces)
    assert red == pytest.approx(0.8, abs=0.05)
    assert less == pytest.approx(0.5, abs=0.05)
    assert other < 0.5 * red
    grey = Image.new("RGB", (8, 8))
    assert likeness(photo.open(), grey) == 0.0
