"""`run`, `collect` and `eval` on a system that draws, as commands."""

import json
from pathlib import Path

import pytest
from PIL import Image

from ..cli.test_run import here
from ..engines.diffusion.folders import save_sd

DRAWS = """
sysgraph: 1
name: three pictures
models:
  m: {kind: table, values: ["a; b", one], contexts: [good, bad], probs: [[1, 0], [0, 1]]}
  painter: {kind: diffusion, id: ./sd, inference_steps: 2}
nodes:
  question: {kind: input}
  text: {kind: lm, model: m, prompt: "{{ question }}"}
  parts: {kind: parse, parser: items}
  image: {kind: diffusion, for_each: {part: parts}, model: painter, prompt: "{{ part }}"}
parsers:
  items: {kind: split, separator: ";", min_items: 2, max_items: 3, on_failure: reject}
edges: [question -> text, text -> parts, parts -> image]
outputs: [image]
"""


@pytest.fixture
def draws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    save_sd(tmp_path / "sd")
    Path("draws.yaml").write_text(DRAWS)
    return "draws.yaml"


def test_images_are_files(
    draws: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    done = here(["run", draws, "--input", "question=good"], monkeypatch, capsys)
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    files = sorted(Path("runs/three-pictures-images").iterdir())
    assert [file.suffix for file in files] == [".png", ".safetensors"] * 2
    shown = [line.removeprefix(f"image[{i}] (output): ") for i, line in enumerate(lines[5:7], 1)]
    assert sorted(map(Path, shown)) == files[::2]
    assert all(Image.open(path).size == (8, 8) for path in shown)
    assert lines[7] == "image[3] (output): (not run: parts has 2 of them)"
    where = ["--input", "question=good", "--output", "my images", "--format", "json"]
    done = here(["run", draws, *where], monkeypatch, capsys)
    again = json.loads(done.out)["image"]
    assert again == [f"my images/{Path(path).name}" for path in shown]
    assert all(Path(path).is_file() for path in again)


def test_without_images_no_folder(
    draws: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    done = here(["run", draws, "--input", "question=bad"], monkeypatch, capsys)
    assert done.code == 0
    assert "image[1] (output): (nothing: parts has no value)" in done.out
    assert not Path("runs").exists()


def test_collect_and_eval(
    draws: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the scorer of image sequences, which is about three of them."""
    three = Path(draws).read_text().replace('"a; b"', '"a; b; c"').replace("[0, 1]]", "[0.5, 0.5]]")
    Path(draws).write_text(three)
    attribute = "brightness"
    rows = [{"question": text, "attribute": attribute} for text in ("good", "bad")]
    Path("in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    options = ["--inputs", "in.jsonl", "--scorer", "progression"]
    for shard in ("1/2", "2/2"):
        done = here(["collect", draws, *options, "-o", "c", "--shard", shard], monkeypatch, capsys)
        assert done.code == 0, done.err
        assert done.out.startswith(f"c/pairs-0000{shard[0]}-of-00002.jsonl: ")
    kept = [json.loads(line) for file in Path("c").glob("pairs-*") for line in file.open()]
    assert len(kept) >= 6
    assert all(Path("c", path).is_file() for row in kept for path in row["chosen"]["image"])
    done = here(["eval", draws, *options, "--format", "json"], monkeypatch, capsys)
    assert done.code == 0, done.err
    found = json.loads(done.out)
    assert -1.5 <= found["score"]["mean"] <= 1
    assert set(found["shares"]) == {"order consistent"}


def test_a_judge_reads_no_images(
    draws: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("in.jsonl").write_text('{"question": "good"}\n')
    judge = ["--inputs", "in.jsonl", "--judge", "scorer:progression", "--against", "reference:x"]
    done = here(["eval", draws, *judge], monkeypatch, capsys)
    assert (done.code, done.out) == (2, "")
    assert done.err == "error: --judge: reads texts, and this system answers with images\n"
