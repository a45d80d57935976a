"""Images that rows give as inputs: read from wherever they stand, told of, and written back."""

import json
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest
from PIL import Image

import sysgraph
from sysgraph import DataError, InputError, Program, System
from sysgraph.data import load_inputs, load_pairs, pair_row
from sysgraph.traces.pictures import Picture

from ..cli.test_run import here

GRAPH = """
name: looking
models:
  m: {kind: table, values: ["yes", "no"]}
nodes:
  picture: {kind: input, type: image}
  question: {kind: input}
  answer: {kind: choice, model: m, options: ["yes", "no"], prompt: "{{ question }}"}
  shown: {kind: select, when: {answer: ["yes", "no"]}}
edges: [question -> answer, picture -> shown, answer -> shown]
outputs: [answer, shown]
"""


@pytest.fixture
def program() -> Program:
    return sysgraph.compile(sysgraph.load(GRAPH))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "seen").mkdir()
    Image.new("RGB", (4, 3), "red").save(tmp_path / "seen" / "red.png")
    Image.new("RGB", (4, 3), "blue").save(tmp_path / "seen" / "blue.jpg")
    return tmp_path


def write(file: Path, rows: list[dict[str, Any]]) -> Path:
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return file


def test_read_and_written_back(program: Program, folder: Path) -> None:
    sides = {"chosen": {"answer": "yes"}, "rejected": {"answer": "no"}}
    file = write(
        folder / "pairs.jsonl",
        [
            {"inputs": {"picture": "seen/red.png", "question": "a"}, **sides},
            {"picture": "seen/blue.jpg", "question": "b", **sides},
        ],
    )
    pairs = load_pairs(program, file)
    red = Picture.read(folder / "seen" / "red.png")
    assert pairs[0].chosen.inputs == pairs[0].rejected.inputs == {"picture": red, "question": "a"}
    assert pairs[0].chosen.values["shown"] == red
    assert pairs[0].chosen["picture"] == str(folder / "seen" / "red.png")
    elsewhere = folder / "copied"
    elsewhere.mkdir()
    rows = [pair_row(program, pair, elsewhere) for pair in pairs]
    again = load_pairs(program, write(elsewhere / "pairs.jsonl", rows))
    assert [pair.chosen for pair in again] == [pair.chosen for pair in pairs]
    assert len([*(elsewhere / "images").iterdir()]) == 2

    content = (folder / "seen" / "red.png").read_bytes()
    columns = {"picture": [{"bytes": content, "path": None}], "question": ["a"]}
    pyarrow.parquet.write_table(pyarrow.table(columns), folder / "rows.parquet")
    (row,) = load_inputs(program, folder / "rows.parquet")
    assert row["picture"] == red


def test_what_is_wrong_is_told_by_row_and_path(program: Program, folder: Path) -> None:
    (folder / "broken.png").write_bytes((folder / "seen" / "red.png").read_bytes()[:50])
    file = write(
        folder / "rows.jsonl",
        [
            {"picture": "seen/red.png", "question": "a"},
            {"picture": "seen/green.png", "question": "a"},
            {"inputs": {"picture": "rows.jsonl", "question": "a"}},
            {"picture": "broken.png", "question": "a"},
            {"picture": 3, "question": "a"},
            {"pictures": "seen/red.png", "question": "a"},
            {"inputs": {"picture": None, "question": "a"}},
        ],
    )
    with pytest.raises(DataError) as error:
        load_inputs(program, file)
    said = error.value.problems
    assert [line.split(": ")[0] for line in said] == [f"{file}:{n}" for n in range(2, 8)]
    for line, part in zip(
        said,
        [
            f"picture: {folder / 'seen/green.png'}: No such file",
            f"inputs.picture: {folder / 'rows.jsonl'}: not an image of a known format",
            f"picture: {folder / 'broken.png'}: a damaged image",
            "picture: expected the path of an image, got 3",
            "picture: missing; expected the path of an image (is 'pictures' a misspelling of it?)",
            "inputs.picture: expected the path of an image, got null",
        ],
        strict=True,
    ):
        assert part in line


def test_on_the_command_line(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    Path("g.yaml").write_text(GRAPH)
    asked = ["run", "g.yaml", "--input", "question=a", "--format", "json"]
    done = here([*asked, "--input", "picture=seen/red.png"], monkeypatch, capsys)
    assert json.loads(done.out)["inputs"] == {"picture": "seen/red.png", "question": "a"}
    done = here([*asked, "--input", "picture=g.yaml"], monkeypatch, capsys)
    assert done.code == 2
    assert "error: --input picture: g.yaml: not an image of a known format" in done.err
    done = here(asked, monkeypatch, capsys)
    assert "error: missing --input picture=FILE" in done.err
    write(folder / "rows.jsonl", [{"picture": "seen/red.png", "question": "a"}])
    Path("to").mkdir()
    done = here(
        ["run", "g.yaml", "--inputs", "rows.jsonl", "-o", "to/a.jsonl"], monkeypatch, capsys
    )
    (row,) = (json.loads(line) for line in Path("to/a.jsonl").read_text().splitlines())
    assert done.code == 0
    assert row["inputs"] == {"picture": "../seen/red.png", "question": "a"}
    assert (Path("to") / row["shown"]).is_file()


def test_from_python(program: Program, folder: Path) -> None:
    """Paths, bytes and Pillow's images are one; equal images are equal inputs."""
    system, file = System(program, device="cpu"), folder / "seen" / "red.png"
    given: list[Any] = [file, str(file), file.read_bytes(), Image.open(file), Picture.read(file)]
    traces = [system.sample({"picture": one, "question": "a"}, n=3) for one in given]
    assert all(several == traces[0] for several in traces)
    assert '<img alt="' in traces[0][0]._repr_html_()
    with pytest.raises(InputError, match=r"input 'picture': no\.png: No such file"):
        system.sample({"picture": "no.png", "question": "a"})
    with pytest.raises(InputError, match="input 'picture': expected the path of an image"):
        system.sample({"picture": 3, "question": "a"})
