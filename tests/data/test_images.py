"""Images of rows: where they are looked for, what is said of wrong ones, that they come back."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
import torch
from PIL import Image

import sysgraph
from sysgraph import Completion, DataError, Program, Trace
from sysgraph.data import load_pairs, pair_row
from sysgraph.data.images import ImageFiles
from sysgraph.data.rows import Row
from sysgraph.data.traces import read_trace_row, trace_row
from sysgraph.traces.course import complete
from sysgraph.traces.pair import Pair
from sysgraph.traces.pictures import Picture
from sysgraph.training.folder import RunFolder

Files = Callable[..., Path]

HEAD = """
sysgraph: 1
name: g
models:
  m: {kind: table, values: [x]}
  painter: {kind: diffusion, id: ./none}
"""
SEQUENCE = (
    HEAD
    + """
nodes:
  prompt: {kind: input}
  text: {kind: lm, model: m, prompt: "{{ prompt }}"}
  captions: {kind: parse, parser: captions}
  image: {kind: diffusion, for_each: {caption: captions}, model: painter, prompt: "{{ caption }}"}
parsers:
  captions: {kind: split, separator: ";", min_items: 2, max_items: 3, on_failure: reject}
edges: [prompt -> text, text -> captions, captions -> image]
outputs: [image]
"""
)
SINGLE = (
    HEAD
    + """
nodes:
  prompt: {kind: input}
  image: {kind: diffusion, model: painter, prompt: "{{ prompt }}"}
edges: [prompt -> image]
outputs: [image]
"""
)
RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def sequence() -> Program:
    """A text, its captions, and an image for each."""
    return sysgraph.compile(sysgraph.load(SEQUENCE))


@pytest.fixture(scope="module")
def single() -> Program:
    """A prompt and its image."""
    return sysgraph.compile(sysgraph.load(SINGLE))


@pytest.fixture
def images(tmp_path: Path) -> list[Picture]:
    """Three of them, in `pictures/0.png` to `2.png`."""
    (tmp_path / "pictures").mkdir()
    paths = [tmp_path / "pictures" / f"{i}.png" for i in range(3)]
    for path in paths:
        noise().save(path)
    return [Picture.read(path) for path in paths]


def noise() -> Image.Image:
    return Image.fromarray(RNG.integers(0, 256, (8, 8, 3), dtype=np.uint8))


def row(*chosen: Any, rejected: Any = None) -> dict[str, Any]:
    """Two captions with their images, preferred to a text without any."""
    return {
        "inputs": {"prompt": "p"},
        "chosen": {"text": "a; b", "image": list(chosen)},
        "rejected": rejected or {"text": "a", "image": None},
    }


def problems(program: Program, path: Path) -> list[str]:
    with pytest.raises(DataError) as caught:
        load_pairs(program, path)
    return [problem.removeprefix(f"{path}:") for problem in caught.value.problems]


# ---- reading


def test_paths_are_relative_to_the_file(
    sequence: Program,
    images: list[Picture],
    jsonl: Files,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "elsewhere").mkdir()
    absolute = str(tmp_path / "pictures" / "2.png")
    path = jsonl(
        row("../pictures/0.png", absolute), row(absolute, absolute), name="elsewhere/p.jsonl"
    )
    first, second = load_pairs(sequence, path)
    assert dict(first.chosen.values) == {
        "text": Completion("a; b"),
        "captions": ("a", "b"),
        "image[1]": images[0],
        "image[2]": images[2],
    }
    assert second.chosen.values["image[1]"] is first.chosen.values["image[2]"]  # decoded once
    monkeypatch.chdir(tmp_path / "elsewhere")
    (again, _) = load_pairs(sequence, "p.jsonl")
    assert again.chosen == first.chosen


@pytest.mark.parametrize(
    "none",
    [None, [], [None, None, None], ["pictures/2.png"]],  # one that hangs on a failure is dropped
    ids=["null", "empty", "nulls", "dropped"],
)
def test_a_failed_parse_has_no_images(
    none: Any, sequence: Program, images: list[Picture], jsonl: Files
) -> None:
    path = jsonl(row("pictures/0.png", "pictures/1.png", rejected={"text": "a", "image": none}))
    (pair,) = load_pairs(sequence, path)
    assert pair.rejected.failed
    assert dict(pair.rejected.values) == {"text": Completion("a")}
    assert pair.chosen.nonexistent == {"image[3]"}


def test_every_wrong_image_at_once(
    sequence: Program, images: list[Picture], jsonl: Files, tmp_path: Path
) -> None:
    folder = tmp_path / "pictures"
    content = (folder / "0.png").read_bytes()
    (folder / "half.png").write_bytes(content[: len(content) // 2])
    (folder / "text.png").write_text("no image at all")
    drawn = Picture.drawn(noise(), torch.zeros(4, 1, 1), "vae").write(folder)
    latents = drawn.with_suffix(".safetensors")
    latents.write_bytes(latents.read_bytes()[:-3])
    good = row("pictures/0.png", "pictures/1.png")
    path = jsonl(
        good,
        row("pictures/half.png", "pictures/none.png"),
        row("pictures/text.png", "pictures"),
        row(3, ""),
        row(f"pictures/{drawn.name}", "pictures/half.png"),
        row("pictures/0.png"),
        row("pictures/0.png", "pictures/1.png", "pictures/2.png"),
    )
    found = problems(sequence, path)
    starts = [
        f"2: chosen.image[1]: {folder}/half.png: a damaged image: ",
        f"2: chosen.image[2]: {folder}/none.png: No such file or directory",
        f"3: chosen.image[1]: {folder}/text.png: not an image of a known format; expected PNG",
        f"3: chosen.image[2]: {folder}: Is a directory",
        "4: chosen.image[1]: expected the path of an image, got 3",
        "4: chosen.image[2]: expected the path of an image, got the text ''",
        f"5: chosen.image[1]: {latents}: no latents that can be read: ",
        f"5: chosen.image[2]: {folder}/half.png: a damaged image: ",
        "6: chosen: no value for image[2]; expected one",
        f"7: chosen.image[3]: the image {folder}/2.png, but captions has 2 of them; expected null",
    ]
    assert len(found) == len(starts)
    for problem, start in zip(found, starts, strict=True):
        assert problem.startswith(start)


# ---- other forms of rows


@pytest.mark.parametrize("kind", ["jsonl", "parquet", "parquet, bytes", "save_to_disk", "folder"])
def test_a_prompt_and_two_images(
    kind: str, single: Program, images: list[Picture], tmp_path: Path
) -> None:
    """As sets of image preferences are on the Hub: an image column has bytes."""
    paths = [tmp_path / "pictures" / f"{i}.png" for i in range(2)]
    encoded = [{"bytes": path.read_bytes(), "path": None} for path in paths]
    names = [f"pictures/{path.name}" for path in paths]
    feature = datasets.Image()
    columns = {"prompt": datasets.Value("string"), "chosen": feature, "rejected": feature}
    if kind == "jsonl":
        source = tmp_path / "r.jsonl"
        source.write_text(json.dumps({"prompt": "p", "chosen": names[0], "rejected": names[1]}))
    elif kind.startswith("parquet"):
        source = tmp_path / "r.parquet"
        sides = encoded if kind == "parquet" else [one["bytes"] for one in encoded]
        table = {"prompt": ["p"], "chosen": [sides[0]], "rejected": [sides[1]]}
        pyarrow.parquet.write_table(pyarrow.table(table), source)
    else:
        source = tmp_path / "set"
        table = {"prompt": ["p"], "chosen": [str(paths[0])], "rejected": [str(paths[1])]}
        made = datasets.Dataset.from_dict(table, features=datasets.Features(columns))
        if kind == "save_to_disk":
            made.save_to_disk(str(source))
        else:
            made.to_parquet(source / "train.parquet")
    (pair,) = load_pairs(single, source)
    assert dict(pair.chosen.inputs) == {"prompt": "p"}
    assert dict(pair.chosen.values) == {"image": images[0]}
    assert dict(pair.rejected.values) == {"image": images[1]}
    assert not pair.chosen.extra


def test_an_image_column_within_a_side(
    sequence: Program, images: list[Picture], tmp_path: Path
) -> None:
    content = [(tmp_path / "pictures" / f"{i}.png").read_bytes() for i in range(2)]
    given = [{"bytes": one, "path": "x.png"} for one in content]
    fields = {**row(*given), "thumbnail": given[0]}
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist([fields]), tmp_path / "r.parquet")
    (pair,) = load_pairs(sequence, tmp_path / "r.parquet")
    assert [pair.chosen.values[f"image[{i}]"] for i in (1, 2)] == images[:2]
    json.dumps(dict(pair.chosen.extra))  # other columns of images do not break what is written on


def test_damaged_bytes_of_a_column(single: Program, images: list[Picture], tmp_path: Path) -> None:
    whole = (tmp_path / "pictures" / "0.png").read_bytes()
    sides = [{"bytes": whole[:50], "path": "a.png"}, {"bytes": whole, "path": "b.png"}]
    table = pyarrow.table({"prompt": ["p"], "chosen": [sides[0]], "rejected": [sides[1]]})
    pyarrow.parquet.write_table(table, tmp_path / "r.parquet")
    (problem,) = problems(single, tmp_path / "r.parquet")
    assert problem.startswith("1: chosen.image: a.png: a damaged image: ")


def test_encoded_bytes_are_written_as_png(single: Program, tmp_path: Path) -> None:
    """Whatever their format was."""
    noise().save(tmp_path / "a.bmp")
    picture = Picture.encoded((tmp_path / "a.bmp").read_bytes())
    assert picture == Picture.read(tmp_path / "a.bmp")
    path = picture.write(tmp_path / "out")
    assert Image.open(path).format == "PNG"
    assert Picture.read(path) == picture


# ---- and back


@pytest.fixture
def drawn(sequence: Program) -> Pair:
    """A pair as a system samples it: token ids, and images with their latents."""
    pictures = [Picture.drawn(noise(), torch.randn(4, 2, 2), "vae") for _ in range(2)]
    trace = Trace({"prompt": "p"}, {"text": Completion("a; b", (1, 2))}, sequence.outputs)
    images = {f"image[{i}]": picture for i, picture in enumerate(pictures, start=1)}
    better = Trace(trace.inputs, {**trace.values, **images}, trace.outputs, extra={"k": 1})
    swapped = {"image[1]": pictures[1], "image[2]": pictures[1]}
    worse = Trace(trace.inputs, {**trace.values, **swapped}, trace.outputs, extra={"k": 1})
    return Pair(complete(sequence, better), complete(sequence, worse), "input 1")


def same(read: Pair, pair: Pair) -> None:
    """Equal to the last latent: equality of pictures covers their latents by digest."""
    assert (read.chosen, read.rejected) == (pair.chosen, pair.rejected)
    for name in ("image[1]", "image[2]"):
        found, wanted = read.chosen.values[name], pair.chosen.values[name]
        assert isinstance(found, Picture)
        assert isinstance(wanted, Picture)
        latents, expected = found.latents("vae"), wanted.latents("vae")
        assert latents is not None
        assert expected is not None
        assert torch.equal(latents, expected)


def test_what_is_written_is_what_is_read(sequence: Program, drawn: Pair, tmp_path: Path) -> None:
    folder = tmp_path / "here"
    folder.mkdir()
    fields = pair_row(sequence, drawn, folder)
    assert pair_row(sequence, drawn, folder) == fields
    (folder / "pairs.jsonl").write_text(json.dumps(fields))
    assert len(list((folder / "images").iterdir())) == 4  # two images on four places, and latents
    moved = tmp_path / "there"
    shutil.move(folder, moved)
    (read,) = load_pairs(sequence, moved / "pairs.jsonl")
    same(read, drawn)
    (again,) = [json.loads(json.dumps(pair_row(sequence, read, tmp_path / "third")))]
    assert again == json.loads(json.dumps(fields))


def test_traces(sequence: Program, drawn: Pair, tmp_path: Path) -> None:
    fields = json.loads(json.dumps(trace_row(sequence, drawn.chosen, tmp_path)))
    found: list[str] = []
    assert read_trace_row(sequence, Row("", fields, ImageFiles(tmp_path)), found) == drawn.chosen
    assert not found


def test_a_round_s_pairs(sequence: Program, drawn: Pair, tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    folder.save_pairs(0, sequence, {"train": [drawn, drawn], "held_out": []})
    read = folder.load_pairs(0, sequence, folder.pairs_digest(0))
    assert read["held_out"] == []
    for pair in read["train"]:
        same(pair, drawn)
