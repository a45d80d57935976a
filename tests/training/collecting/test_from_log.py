"""Pairs of a log: corrections of all kinds of outputs, images, and what is refused."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import sysgraph
from sysgraph import Completion, DataError, InputError, Program, Trace, load_pairs
from sysgraph.data.corrections import corrected, require_correction
from sysgraph.data.logs import log_files
from sysgraph.data.shown import BadValue
from sysgraph.serving.log import Log
from sysgraph.support.progress import Reporter
from sysgraph.traces.course import complete
from sysgraph.traces.pictures import Picture
from sysgraph.training.from_log import (
    ALONE,
    CUT,
    GONE,
    REPLACED,
    UNUSABLE,
    FromLog,
    collect_from_log,
)

QUIET = Reporter(shown=False)
HEAD = """
sysgraph: 1
name: g
models:
  a: {kind: table, values: [red, blue]}
  b: {kind: table, values: ['{"x": "1", "y": "2"}', "ok 1", "ok 2", "again", "no"]}
  c: {kind: diffusion, id: nowhere}
parsers:
  digit: {kind: regex, pattern: "[0-9]", on_failure: reject}
  both: {kind: json, fields: {x: text, y: text}, on_failure: reject}
nodes:
  question: {kind: input}
  draft: {kind: lm, model: a, prompt: "{{ question }}"}
"""
GRAPHS = {
    "parsed": """
  raw: {kind: lm, model: b, prompt: "{{ draft }}"}
  answer: {kind: parse, parser: digit}
edges: [question -> draft, draft -> raw, raw -> answer]
outputs: [answer]
""",
    "record": """
  raw: {kind: lm, model: b, prompt: "{{ draft }}"}
  call: {kind: parse, parser: both}
edges: [question -> draft, draft -> raw, raw -> call]
outputs: [call.x, call.y]
""",
    "two": """
  raw: {kind: lm, model: b, prompt: "{{ draft }}"}
edges: [question -> draft, draft -> raw]
outputs: [draft, raw]
""",
    "drawn": """
  image: {kind: diffusion, model: c, prompt: "{{ draft }}"}
  text: {kind: lm, model: b, prompt: "{{ draft }}"}
edges: [question -> draft, draft -> image, draft -> text]
outputs: [image, text]
""",
    "loop": """
  text: {kind: lm, model: b, prompt: "{{ draft }} {{ text }}"}
  more: {kind: choice, model: a, prompt: "{{ text }}", options: [red, blue]}
edges: [question -> draft, draft -> text, text -> more]
loops:
  refine: {repeat: 3, until: {more: red}, nodes: [text, more], carry: [text -> text]}
outputs: [text, draft]
""",
}


def program(name: str) -> Program:
    return sysgraph.compile(sysgraph.load(HEAD + GRAPHS[name]))


@pytest.mark.parametrize(
    ("name", "side", "values"),
    [
        ("parsed", "it is 7", {"raw": "it is 7", "answer": "7"}),
        ("parsed", {"answer": "it is 7"}, {"raw": "it is 7", "answer": "7"}),
        ("parsed", {"raw": "it is 7"}, {"raw": "it is 7", "answer": "7"}),
        ("record", '{"x": "a", "y": "b"}', {"call.x": "a", "call.y": "b"}),
        ("two", {"raw": "no", "draft": "red"}, {"raw": "no", "draft": "red"}),
    ],
)
def test_a_correction_observes_the_outputs(name: str, side: Any, values: Mapping[str, str]) -> None:
    found = corrected(program(name), side, {"question": "?"})
    assert {k: found[k] for k in values} == values
    assert "draft" in values or "draft" not in found.values
    assert found.inputs == {"question": "?"}


@pytest.mark.parametrize(
    ("name", "side", "why"),
    [
        ("parsed", "nothing", r"correction: answer: parser 'digit' \(regex\)"),
        ("parsed", {"draft": "red"}, "correction: 'draft' is no output; expected raw"),
        ("parsed", {"raw": "1", "answer": "2"}, "correction: two texts for raw"),
        ("record", {"call.x": "a", "call.y": "b"}, "correction: two texts for raw; expected one"),
        ("two", "red", "correction: expected an object with a text for draft, raw"),
        ("two", {"draft": "red"}, "correction: no text for raw"),
        ("drawn", "red", "the output image is an image, which no text corrects"),
    ],
)
def test_what_is_no_correction(name: str, side: Any, why: str) -> None:
    with pytest.raises(BadValue, match=why):
        require_correction(program(name), side)


def logged(folder: Path, of: Program, traces: list[list[Trace]], *said: Mapping[str, Any]) -> Path:
    """A log with an answer `0`, `1`, ... for each list of traces."""
    with Log.opened(of, folder, QUIET) as log:
        for number, several in enumerate(traces):
            log.answered(str(number), several, {"seed": number})
        for one in said:
            log.rated(one)
    return folder


def trace(of: Program, question: str = "?", **values: Any) -> Trace:
    given = {k: Completion(v) if isinstance(v, str) else v for k, v in values.items()}
    return complete(of, Trace({"question": question}, given, of.outputs))


def collected(name: str, log: Path, out: Path, **more: Any) -> FromLog:
    return collect_from_log(sysgraph.load(HEAD + GRAPHS[name]), log, output=out, **more)


def test_corrections_that_fit_takes_and_others(tmp_path: Path) -> None:
    """One that its model can not have written is left out here: `fit` would refuse all pairs."""
    of = program("parsed")
    bad, good = trace(of, draft="red", raw="ok 1"), trace(of, draft="blue", raw="ok 2")
    log = logged(
        tmp_path / "log",
        of,
        [[bad, good], [good], [trace(of, "else", draft="red", raw="ok 1")]],
        {"id": "0", "choice": 0, "correction": "ok 2"},
        {"id": "0", "choice": 1, "correction": "7 is no value of the table"},
        {"id": "1", "correction": "ok 1"},
        {"id": "1", "correction": "ok 2"},
        {"id": "2", "rating": "up"},
    )
    found = collected("parsed", log, tmp_path / "out")
    assert (found.answers, found.rated, found.pairs) == (3, 4, 1)
    same = "comparisons of equal outputs"
    assert found.left_out == {UNUSABLE: 1, same: 1, REPLACED: 1, ALONE: 1}
    assert found.why.startswith("0:1: raw: '7 is no value of the table' is no value of table 'b'")
    (pair,) = load_pairs(of, tmp_path / "out")
    assert pair.chosen.values == {"raw": Completion("ok 2"), "answer": "2"}
    assert pair.rejected.values == bad.values


def test_a_loss_of_every_node_needs_every_value(tmp_path: Path) -> None:
    of = program("parsed")
    said = {"id": "0", "correction": "ok 2"}
    log = logged(tmp_path / "log", of, [[trace(of, draft="red", raw="ok 1")]], said)
    graph = sysgraph.load(HEAD + GRAPHS["parsed"] + "fit: {credit: node}\n")
    found = collect_from_log(graph, log, output=tmp_path / "out")
    assert (found.pairs, found.left_out) == (0, {UNUSABLE: 1})
    assert found.why.startswith("0:0: no value for draft; expected one for every generated node")


def test_pairs_grow_with_the_log_and_are_of_one_system(tmp_path: Path) -> None:
    of, log, out = program("parsed"), tmp_path / "log", tmp_path / "out"
    bad, good = trace(of, draft="red", raw="no"), trace(of, draft="blue", raw="ok 2")
    logged(log, of, [[bad, good]], {"id": "0", "choice": 1, "rating": "up"})
    assert collected("parsed", log, out).pairs == 1  # what has no output is as bad as a thumb down
    logged(log, of, [], {"id": "0", "better": 1, "worse": 0})
    first, second = log_files(log)
    whole = first.read_bytes()
    first.write_bytes(whole + b'{"answer": "9", "choi')
    found = collected("parsed", log, out)
    assert (found.pairs, found.left_out) == (1, {CUT: 1})
    for wrong, why in (("two", "outputs was"), ("record", "is the log of another system: ")):
        with pytest.raises(InputError, match=why):
            collected(wrong, log, tmp_path / "other")
    log = log.rename(tmp_path / "moved")
    with pytest.raises(InputError, match="holds a collection with other settings: log was "):
        collected("parsed", log, out)
    (log / first.name).unlink()
    found = collected("parsed", log, out, overwrite=True)
    assert (found.answers, found.pairs, found.left_out) == (0, 0, {GONE: 1})
    for line, why in ((b'{"head": 2, "time": ""}\n', "no file of a log of this version"),):
        (log / second.name).write_bytes(line)
        with pytest.raises(InputError, match=why):
            collected("parsed", log, tmp_path / "other")
    (log / second.name).write_bytes(whole + b'{"rated": "0", "said": {"id": "0", "rating": "x"}}\n')
    with pytest.raises(DataError, match=rf"{second.name}:4: choice: missing"):
        collected("parsed", log, tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_images_lie_beside_the_pairs(tmp_path: Path) -> None:
    of = program("drawn")
    pictures = []
    for color in ("red", "blue"):
        Image.new("RGB", (2, 2), color).save(tmp_path / f"{color}.png")
        pictures.append(Picture.read(tmp_path / f"{color}.png"))
    traces = [trace(of, draft="red", image=one, text="no") for one in pictures]
    said = {"id": "0", "ranking": [1, 0]}
    log = logged(tmp_path / "log", of, [traces], said, {"id": "0", "ranking": [1, 0], "user": "b"})
    (tmp_path / "red.png").unlink()
    assert collected("drawn", log, tmp_path / "out").pairs == 1
    (log / "images").rename(tmp_path / "away")
    (pair,) = load_pairs(of, tmp_path / "out")
    assert (pair.chosen.values, pair.rejected.values) == (traces[1].values, traces[0].values)
    with pytest.raises(DataError, match="No such file"):
        collected("drawn", log, tmp_path / "other")


def test_a_correction_is_of_what_a_loop_gave(tmp_path: Path) -> None:
    """Whichever turn gave it."""
    of = program("loop")
    (sampled,) = sysgraph.System(of, device="cpu").sample({"question": "?"}, seed=3)
    side = {"text": "ok 1" if sampled["text[last]"] != "ok 1" else "ok 2", "draft": "red"}
    log = logged(tmp_path / "log", of, [[sampled]], {"id": "0", "correction": side})
    assert collected("loop", log, tmp_path / "out").pairs == 1
    (pair,) = load_pairs(of, tmp_path / "out")
    assert pair.rejected.values == sampled.values
    assert pair.chosen.values == {"text[last]": side["text"], "draft": Completion("red")}
