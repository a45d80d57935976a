"""Stopping leaves no mark on the files, and a folder goes on with its own settings only."""

import json
import math
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from sysgraph import InputError, RunError, Scorer, System, Trace

from .digits import GRAPH, PROGRAM, ROWS, digits


def test_stopped_anywhere_it_ends_the_same(run: Callable[..., Any], tmp_path: Path) -> None:
    whole, folder = tmp_path / "whole", tmp_path / "stopped"
    run(whole)
    expected = {file.name: file.read_bytes() for file in whole.iterdir()}
    size = len(expected["traces.jsonl"])
    newline = expected["traces.jsonl"].index(b"\n")
    accent = expected["traces.jsonl"].index("é".encode()) + 1  # in the middle of a character
    cuts = [0, 1, newline, newline + 1, accent, size - 1, size]
    cuts += random.Random(0).sample(range(size), 5)
    for cut in cuts:
        run(folder)
        (folder / "pairs.jsonl").unlink()
        (folder / "traces.jsonl").write_bytes(expected["traces.jsonl"][:cut])
        run(folder)
        assert {file.name: file.read_bytes() for file in folder.iterdir()} == expected, cut


def test_what_was_done_is_not_done_again(run: Callable[..., Any], tmp_path: Path) -> None:
    run(tmp_path / "c")
    traces = tmp_path / "c" / "traces.jsonl"
    whole = traces.read_bytes()
    size = System(PROGRAM, device="cpu").inputs_at_once(4)
    assert size < len(ROWS)
    kept = b"".join(whole.splitlines(keepends=True)[: 4 * size])
    traces.write_bytes(kept + b'{"torn')
    seen = []

    def counting(several: Sequence[Trace]) -> list[float]:
        seen.extend(several)
        return digits(several)

    run(tmp_path / "c", scorer=Scorer("digits", counting))
    assert {int(t.extra["id"]) for t in seen} <= set(range(size, len(ROWS)))
    assert traces.read_bytes() == whole


def test_a_wrong_scorer(run: Callable[..., Any], tmp_path: Path) -> None:
    with pytest.raises(RunError, match="returned nan"):
        run(tmp_path / "c", scorer=Scorer("s", lambda traces: [math.nan] * len(traces)))
    run(tmp_path / "c", scorer=Scorer("s", digits))  # mended, it goes on in the same folder
    run(tmp_path / "d")
    ours, theirs = ((tmp_path / name / "pairs.jsonl").read_bytes() for name in "cd")
    assert ours == theirs


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"seed": 1}, "seed"),
        ({"samples": 3}, "samples"),
        ({"scorer": Scorer("other", digits)}, "scorer"),
        ({"graph": GRAPH.replace("name: g", "name: h")}, "name"),
    ],
)
def test_other_settings_are_refused(
    changes: dict[str, Any], named: str, run: Callable[..., Any], tmp_path: Path
) -> None:
    run(tmp_path / "c")
    before = {file: file.read_bytes() for file in (tmp_path / "c").iterdir()}
    with pytest.raises(InputError, match=rf"other settings: {named} was"):
        run(tmp_path / "c", **changes)
    assert {file: file.read_bytes() for file in (tmp_path / "c").iterdir()} == before


def test_changed_inputs_are_refused(run: Callable[..., Any], tmp_path: Path, inputs: Path) -> None:
    run(tmp_path / "c")
    inputs.write_text(json.dumps({"question": "new"}) + "\n" + inputs.read_text())
    with pytest.raises(InputError, match=r"other settings: rows was"):
        run(tmp_path / "c")
