"""What is wrong with a file is said at once, where it is, and with what would be right."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import pytest

from sysgraph import DataError, InputError, Program
from sysgraph.cli import main
from sysgraph.data import load_inputs, load_pairs

Programs = Callable[[str], Program]
Files = Callable[..., Path]

GOOD: dict[str, Any] = {
    "inputs": {"question": "q"},
    "chosen": {"draft": "d", "answer": "a"},
    "rejected": {"draft": "d", "answer": "b"},
}
TEAM: dict[str, Any] = {
    "inputs": {"question": "q"},
    "chosen": {"draft": ["1", "2"], "list": "a,b", "answer": "x"},
    "rejected": {"draft": ["1", "2"], "list": "a,b", "answer": "y"},
}
TRL = {"prompt": "q", "chosen": "a", "rejected": "b"}
EXAMPLE = json.dumps(
    {
        "inputs": {"question": "..."},
        "chosen": {"draft": "...", "answer": "..."},
        "rejected": {"draft": "...", "answer": "..."},
    }
)


def problems(program: Program, path: Path) -> list[str]:
    with pytest.raises(DataError) as caught:
        load_pairs(program, path)
    return [problem.removeprefix(f"{path}:") for problem in caught.value.problems]


def with_side(row: dict[str, Any], side: str, **values: Any) -> dict[str, Any]:
    return {**row, side: {**row[side], **values}}


CASES: dict[str, tuple[str, Any, list[str]]] = {
    "unknown node": (
        "two",
        with_side(GOOD, "rejected", answr="b"),
        ["rejected.answr: no such node; did you mean 'answer'? expected draft, answer"],
    ),
    "node like no other": (
        "two",
        with_side(GOOD, "chosen", zzz="b"),
        ["chosen.zzz: no such node; expected draft, answer"],
    ),
    "input among the nodes": (
        "two",
        with_side(GOOD, "chosen", question="q"),
        ["chosen.question: 'question' is an input of the graph; expected under 'inputs'"],
    ),
    "one copy": (
        "team",
        with_side(TEAM, "chosen", **{"draft[a]": "1"}),
        ["chosen.draft[a]: one copy of 'draft'; expected all of them as a list under 'draft'"],
    ),
    "list of the wrong length": (
        "team",
        with_side(TEAM, "chosen", draft=["1"]),
        ["chosen.draft: expected a list of 2, one for each of draft[a], draft[b]; got a list of 1"],
    ),
    "group that is no list": (
        "team",
        with_side(TEAM, "rejected", draft="1"),
        [
            "rejected.draft: expected a list of 2, one for each of draft[a], draft[b]; got the text "
            "'1'"
        ],
    ),
    "wrong types": (
        "team",
        with_side(with_side(TEAM, "chosen", draft=[1, True], answer={}), "rejected", parts="a"),
        [
            "chosen.draft[a]: expected a text, got 1",
            "chosen.draft[b]: expected a text, got true",
            "chosen.answer: expected a text, got an object",
            "rejected.parts: expected a list of texts, got the text 'a'",
        ],
    ),
    "value that no parser reads": (
        "team",
        with_side(TEAM, "chosen", parts=["a"], n=["1", "7"]),
        [
            "chosen.n[b]: the text '7', but parser 'number' reads the text '2'; expected that, or "
            "nothing (it is computed)",
            "chosen.parts: a list of 1, but parser 'items' reads a list of 2; expected that, or "
            "nothing (it is computed)",
        ],
    ),
    "value of what was rejected": (
        "team",
        with_side(TEAM, "rejected", draft=["1", "none"], n=["1", "3"]),
        [
            "rejected.n[b]: the text '3', but parser 'number' has no value for the text it reads; "
            "expected null"
        ],
    ),
    "side that is null": (
        "two",
        {**GOOD, "rejected": None},
        ["'rejected' is null; expected what the system gave"],
    ),
    "misspelt side": (
        "two",
        {"inputs": {"question": "q"}, "choosen": {}, "rejected": {}},
        ["no 'chosen'; expected what the system gave (is 'choosen' a misspelling of it?)"],
    ),
    "no sides": (
        "two",
        {"question": "q"},
        [
            "no 'chosen'; expected what the system gave (the row has question)",
            "no 'rejected'; expected what the system gave (the row has question)",
        ],
    ),
    "no inputs": (
        "two",
        {k: v for k, v in GOOD.items() if k != "inputs"},
        [f"no 'inputs'; expected {EXAMPLE}"],
    ),
    "inputs that are a text": (
        "two",
        {**GOOD, "inputs": "q"},
        [f"inputs: the text 'q'; expected {EXAMPLE}"],
    ),
    "misspelt input": (
        "two",
        {**GOOD, "inputs": {"qestion": "q"}},
        ["inputs.question: missing; expected a text (is 'qestion' a misspelling of it?)"],
    ),
    "unknown and mistyped input": (
        "two",
        {**GOOD, "inputs": {"question": 3, "gold": "g"}},
        [
            "inputs.gold: the graph has no such input; expected question (what else a row holds "
            "belongs beside 'inputs')",
            "inputs.question: expected a text, got 3",
        ],
    ),
    "unobserved node": (
        "two",
        {**GOOD, "chosen": {"answer": "a"}, "rejected": {"draft": None, "answer": "b"}},
        [
            f"{side}: no value for draft; expected one for every generated node, as in {EXAMPLE} "
            "(the Direct objective needs them all)"
            for side in ("chosen", "rejected")
        ],
    ),
    "side that is a text": (
        "two",
        {**GOOD, "chosen": "a"},
        ["chosen: expected an object with an entry per node, got the text 'a'"],
    ),
    "token ids of nothing": (
        "two",
        {**GOOD, "chosen_ids": {"draft": [[1, -2]], "answer": [3], "drft": []}},
        [
            "chosen_ids.drft: no such node; did you mean 'draft'? expected draft, answer",
            "chosen_ids.draft: expected a list of token ids, got a list of 2",
            "chosen_ids.answer: expected a list of token ids, got 3",
        ],
    ),
    "TRL row, two texts": (
        "two",
        {"prompt": "q", "chosen": "a", "rejected": "b"},
        [
            "a row with 'prompt' gives one input and one text, for graphs that generate no other; "
            f"this graph takes question and generates draft, answer; expected {EXAMPLE}"
        ],
    ),
    "TRL row, system prompt": (
        "one",
        {
            "prompt": [{"role": "system", "content": "s"}, {"role": "user", "content": "q"}],
            "chosen": "a",
            "rejected": "b",
        },
        [
            "prompt: messages by system, user; expected a text, or a list of one user message (a "
            "system prompt or earlier turns belong into the graph's `messages:`)"
        ],
    ),
    "TRL row, wrong type": (
        "one",
        {"prompt": "q", "chosen": 3, "rejected": "b"},
        ["chosen: expected a text, or a list of one assistant message; got 3"],
    ),
    "TRL row, message without text": (
        "one",
        {"prompt": [{"role": "user", "content": None}], "chosen": "a", "rejected": "b"},
        ["prompt: the message's content is null; expected a text"],
    ),
    "broken line": (
        "two",
        '{"inputs": {"question": "q"}',
        [
            "broken JSON at column 29 (Expecting ',' delimiter); expected one whole JSON object on "
            "this line"
        ],
    ),
    "no object": ("two", "7", ["7; expected a JSON object on this line"]),
    "list": ("two", "[1, 2]", ["a list of 2; expected a JSON object on this line"]),
    "no number": (
        "two",
        '{"a": NaN}',
        ["no JSON that can be read (NaN is no JSON number); expected one JSON object on this line"],
    ),
    "half a character": (
        "two",
        '{"a": "\\ud83d"}',
        ["\\ud83d is half of a character; expected text with both of its halves, or neither"],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_row(name: str, program: Programs, jsonl: Files) -> None:
    graph, row, expected = CASES[name]
    good = {"one": TRL, "two": GOOD, "team": TEAM}[graph]
    assert problems(program(graph), jsonl(good, row)) == [f"2: {problem}" for problem in expected]


def test_every_row_at_once(program: Programs, jsonl: Files) -> None:
    rows = [row for graph, row, _ in CASES.values() if graph == "two"]
    expected = [found for graph, _, found in CASES.values() if graph == "two"]
    wanted = [f"{i}: {p}" for i, several in enumerate(expected, start=1) for p in several]
    assert problems(program("two"), jsonl(*rows)) == wanted


@pytest.mark.parametrize(
    "line", ["[" * 100_000, '{"a": ' + "9" * 5000 + "}", '{"a": "\\udc00"}', "{", "\x00", "é"]
)
def test_lines_that_break_readers(line: str, program: Programs, jsonl: Files) -> None:
    path = jsonl(GOOD, line)
    assert [p.partition(":")[0] for p in problems(program("two"), path)] == ["2"]


def test_the_first_fifty_are_shown(program: Programs, jsonl: Files) -> None:
    with pytest.raises(DataError) as caught:
        load_pairs(program("two"), jsonl(*["7"] * 60))
    lines = str(caught.value).splitlines()
    assert len(lines) == 52
    assert lines[-2:] == ["... and 10 more", "60 problems in the data"]
    assert len(caught.value.problems) == 60


def test_inputs(program: Programs, jsonl: Files) -> None:
    path = jsonl({"question": "q"}, {"question": 3}, {"qestion": "q"}, {}, "7", name="in.jsonl")
    with pytest.raises(DataError) as caught:
        load_inputs(program("two"), path)
    assert [p.removeprefix(f"{path}:") for p in caught.value.problems] == [
        "2: question: expected a text, got 3",
        "3: question: missing; expected a text (is 'qestion' a misspelling of it?)",
        "4: question: missing; expected a text (there is nothing)",
        "5: 7; expected a JSON object on this line",
    ]


def test_files_that_are_none(program: Programs, jsonl: Files, tmp_path: Path) -> None:
    jsonl(GOOD)
    (tmp_path / "latin.jsonl").write_bytes(b'{"a": 1}\n{"a": "\xe9"}\n')
    (tmp_path / "empty.jsonl").write_text("\n \n")
    (tmp_path / "array.json").write_text(json.dumps([GOOD, GOOD], indent=2))
    (tmp_path / "object.json").write_text(json.dumps(GOOD, indent=2))
    (tmp_path / "table.csv").write_text("prompt,chosen\nq,a\n")
    (tmp_path / "torn.parquet").write_bytes(b"PAR1 and no more")
    (tmp_path / "folder.jsonl").mkdir()
    (tmp_path / "nothing").mkdir()
    one = datasets.Dataset.from_list([GOOD])
    datasets.DatasetDict({"test": one}).save_to_disk(str(tmp_path / "saved"))
    expected = {
        "latin.jsonl": "latin.jsonl:2: byte 0xe9 is no UTF-8",
        "empty.jsonl": "is empty; expected at least one row",
        "array.json": "is a single JSON document (a list of 2); expected JSON Lines",
        "object.json": "is a single JSON document (an object); expected JSON Lines",
        "table.csv": "(it starts with 'prompt,chosen'); expected a .jsonl or a .parquet file",
        "torn.parquet": "cannot be read as a Parquet file",
        "folder.jsonl": "is a folder; expected a file",
        "nothing": "doesn't contain any data files",
        "pair.jsonl": f"no such file: {tmp_path}/pair.jsonl; did you mean {tmp_path}/pairs.jsonl?",
        "pairs.jsnl": f"no such file: {tmp_path}/pairs.jsnl; did you mean {tmp_path}/pairs.jsonl?",
        "saved": f"has no split 'train'; it has test: choose one as {tmp_path}/saved:test",
        "saved:val": "has no split 'val'; it has test",
    }
    for name, message in expected.items():
        with pytest.raises(InputError) as caught:
            load_pairs(program("two"), tmp_path / name)
        assert message in str(caught.value), name


def test_toy_inputs_that_are_none(program: Programs) -> None:
    with pytest.raises(InputError, match="did you mean `toy:specialists/test`"):
        load_inputs(program("two"), "toy:specialists/tset")


def test_fit_writes_nothing(
    jsonl: Files,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The whole command: exit code 2, every problem on stderr, and no folder of a run."""
    jsonl(GOOD, with_side(GOOD, "chosen", drft="d"), "{", name="bad.jsonl")
    (tmp_path / "g.yaml").write_text(
        """
sysgraph: 1
name: g
models: {a: {kind: causal_lm, id: ./there-is-no-such-model}}
nodes:
  question: {kind: input}
  draft: {kind: lm, model: a, prompt: "{{ question }}"}
  answer: {kind: lm, model: a, prompt: "{{ draft }}"}
edges: [question -> draft, draft -> answer]
outputs: [answer]
"""
    )
    before = sorted(tmp_path.rglob("*"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["sysgraph", "fit", "g.yaml", "--data", "bad.jsonl"])
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 2
    assert capsys.readouterr().err == (
        "error: bad.jsonl:2: chosen.drft: no such node; did you mean 'draft'? expected draft, "
        "answer\n"
        "error: bad.jsonl:3: broken JSON at column 2 (Expecting property name enclosed in double "
        "quotes); expected one whole JSON object on this line\n"
        "2 problems in the data\n"
    )
    assert sorted(tmp_path.rglob("*")) == before
