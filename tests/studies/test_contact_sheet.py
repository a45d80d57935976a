"""The contact sheet of a study, and the share that its scorer reports, on a tiny pipeline."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageFont

import sysgraph
from sysgraph import Scorer, Trace
from sysgraph.measuring.scorers.base import Success
from sysgraph.studies.contact_sheet import Panel, Strip, contact_sheet, wrapped
from sysgraph.support.seeding import derive
from sysgraph.traces.pictures import Picture

from ..engines.diffusion.folders import save_sd
from .conftest import Build, run

SIDE = 160
COLORS = [(200, 30, 30), (30, 200, 30), (30, 30, 200)]


def picture(color: tuple[int, int, int], size: tuple[int, int] = (32, 32)) -> Picture:
    png = io.BytesIO()
    Image.new("RGB", size, color).save(png, "PNG")
    return Picture.encoded(png.getvalue())


def pixels(png: bytes) -> NDArray[np.uint8]:
    return np.asarray(Image.open(io.BytesIO(png)))


def count(sheet: NDArray[np.uint8], color: tuple[int, int, int]) -> int:
    return int((sheet == color).all(2).sum())


def strip(caption: str = "a lake", *, size: tuple[int, int] = (32, 32)) -> Strip:
    return Strip("joint", "q 1", "", tuple((picture(c, size), caption) for c in COLORS))


@pytest.mark.parametrize("size", [(32, 32), (512, 512), (64, 32)])
def test_every_picture_is_there_whole_and_in_order(size: tuple[int, int]) -> None:
    sheet = pixels(contact_sheet([Panel("a prompt", (strip(size=size), strip(size=size)))], "h"))
    tall = SIDE * size[1] // size[0]
    where = [np.argwhere((sheet == color).all(2)) for color in COLORS]
    assert [len(found) for found in where] == [2 * SIDE * tall] * 3
    left = [found[:, 1].min() for found in where]
    assert left == sorted(left)
    assert {int(found[:, 0].min()) for found in where} == {int(where[0][:, 0].min())}


def test_small_pictures_keep_their_pixels() -> None:
    checks = np.indices((32, 32)).sum(0) % 2 * 255
    png = io.BytesIO()
    Image.fromarray(np.repeat(checks[..., None], 3, 2).astype(np.uint8)).save(png, "PNG")
    board = Strip("joint", "q 1", "", ((Picture.encoded(png.getvalue()), ""),))
    sheet = pixels(contact_sheet([Panel("a prompt", (board,))], "h"))
    assert count(sheet, (0, 0, 0)) == SIDE * SIDE // 2


def test_a_caption_is_there_in_full() -> None:
    font = ImageFont.load_default(14)
    text = "an extremely bright lake " * 9 + "w" * 60 + "\nat last"
    lines = list(wrapped(text, font, SIDE))
    assert "".join("".join(lines).split()) == "".join(text.split())
    assert max(map(font.getlength, lines)) <= SIDE
    assert lines[-1] == "at last"
    short, long = (
        pixels(contact_sheet([Panel("a prompt", (strip(caption),))], "h"))
        for caption in ("a lake", text)
    )
    assert long.shape[0] - short.shape[0] == pytest.approx((len(lines) - 1) * 14 * 1.35, abs=9)
    assert all((edge == 255).all() for edge in (long[:30], long[-30:], long[:, :30], long[:, -30:]))


# ---- of a study

DRAWS = {
    "sysgraph": 1,
    "name": "draws",
    "models": {
        "m": {"kind": "table", "values": ["dark; bright", "bright; dark", "one"]},
        "painter": {
            "kind": "diffusion",
            "id": "./sd",
            "inference_steps": 2,
            "guidance_scale": 1,
            "learning_rate": 1e-3,
        },
    },
    "nodes": {
        "x": {"kind": "input"},
        "text": {"kind": "lm", "model": "m", "prompt": "{{ x }}"},
        "parts": {"kind": "parse", "parser": "items"},
        "image": {
            "kind": "diffusion",
            "for_each": {"part": "parts"},
            "model": "painter",
            "prompt": "{{ part }}",
        },
    },
    "parsers": {
        "items": {
            "kind": "split",
            "separator": ";",
            "min_items": 2,
            "max_items": 2,
            "on_failure": "reject",
        }
    },
    "edges": ["x -> text", "text -> parts", "parts -> image"],
    "outputs": ["image"],
    "fit": {
        "inputs": "in.jsonl",
        "eval_inputs": "in.jsonl",
        "rounds": 1,
        "samples": 3,
        "steps": 1,
        "batch_size": 2,
        "learning_rate": 0.5,
        "eval_fraction": 0,
    },
}


def bright_first(trace: Trace) -> bool:
    """Whether the captions, not the pictures of random weights, are in this order."""
    return trace["text"] == "bright; dark"


ORDER = Scorer(
    "order",
    lambda traces: [float(bright_first(trace)) for trace in traces],
    success=Success("in order", bright_first),
)


def test_a_study_of_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    save_sd(tmp_path / "sd")
    rows = [{"x": str(i)} for i in range(6)]
    Path("in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    graph = sysgraph.load(json.dumps(DRAWS))
    study = run(graph, tmp_path / "study", scorer=ORDER)
    system = sysgraph.System(sysgraph.compile(graph), device="cpu")
    system.load(tmp_path / "study" / "joint" / "seed0")
    traces = system.sample(rows, seed=derive(0, "evaluate"))
    joint = next(row for row in study.rows if row.name == "joint")
    assert joint.shares["in order"].mean == sum(map(bright_first, traces)) / len(rows)

    file = tmp_path / "study" / "contact-sheet.png"
    sheet = Image.open(file).convert("RGB")
    shown = np.asarray(sheet)
    assert sum(_is_shown(shown, trace) for trace in traces) == 4
    content = file.read_bytes()
    assert run(graph, tmp_path / "study", scorer=ORDER) == study
    assert file.read_bytes() == content


def _is_shown(sheet: NDArray[np.uint8], trace: Trace) -> bool:
    """Whether the pictures that were measured are there, enlarged, to rounding."""
    images = [v.open() for v in trace.values.values() if isinstance(v, Picture)]
    return all(_is_in(np.asarray(image, int), sheet.astype(int)) for image in images)


def _is_in(image: NDArray[np.int_], sheet: NDArray[np.int_]) -> bool:
    factor = SIDE // len(image)
    ends = (sheet[: -SIDE + 1, : -SIDE + 1], sheet[SIDE - 1 :, SIDE - 1 :])
    near = [
        np.abs(sheet_end - image[at, at]).max(2) <= 1
        for at, sheet_end in zip((0, -1), ends, strict=True)
    ]
    return any(
        np.abs(sheet[y : y + SIDE : factor, x : x + SIDE : factor] - image).max() <= 1
        for y, x in np.argwhere(near[0] & near[1])
    )


def test_texts_have_no_contact_sheet(twins: Build, tmp_path: Path) -> None:
    run(twins(), tmp_path / "study")
    assert not (tmp_path / "study" / "contact-sheet.png").exists()
