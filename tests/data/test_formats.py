"""The same rows, however they are stored."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import pyarrow
import pyarrow.parquet
import pytest

import sysgraph
from sysgraph import Completion, Program
from sysgraph.data import load_inputs, load_pairs
from sysgraph.traces.pair import Pair

from .conftest import GRAPHS, HEAD

Programs = Callable[[str], Program]

ROWS: list[dict[str, Any]] = [
    {
        "inputs": {"question": "q1"},
        "chosen": {"draft": ["1", "two 2"], "list": "a, b", "answer": "x"},
        "rejected": {"draft": ["1", "none"], "list": None, "answer": None},
        "chosen_ids": {"draft": [[4, 5], None], "list": [[6]], "answer": None},
        "id": 7,
    },
    {
        "inputs": {"question": "é\u2028 🙂"},
        "chosen": {"draft": ["3", "4"], "list": "", "answer": ""},
        "rejected": {"draft": ["5", "6"], "list": "c", "answer": "y"},
        "chosen_ids": None,
        "id": 8,
    },
]


def summary(pairs: list[Pair]) -> list[Any]:
    return [(p.chosen, p.rejected) for p in pairs]


def store(kind: str, folder: Path, rows: list[dict[str, Any]]) -> str:
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    if kind == "jsonl":
        (folder / "r.jsonl").write_text(lines)
        return str(folder / "r.jsonl")
    if kind == "crlf and bom":
        (folder / "r.jsonl").write_bytes(b"\xef\xbb\xbf" + lines.replace("\n", "\r\n").encode())
        return str(folder / "r.jsonl")
    if kind == "parquet":
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), folder / "r.parquet")
        return str(folder / "r.parquet")
    if kind == "save_to_disk":
        datasets.Dataset.from_list(rows).save_to_disk(str(folder / "saved"))
        return str(folder / "saved")
    if kind == "save_to_disk, split":
        saved = datasets.DatasetDict({"test": datasets.Dataset.from_list(rows)})
        saved.save_to_disk(str(folder / "saved"))
        return f"{folder / 'saved'}:test"
    (folder / "set").mkdir()
    (folder / "set" / "train.jsonl").write_text(lines)
    return str(folder / "set")


KINDS = ["jsonl", "crlf and bom", "parquet", "save_to_disk", "save_to_disk, split", "folder"]


@pytest.mark.parametrize("kind", KINDS)
def test_own_format(kind: str, program: Programs, tmp_path: Path) -> None:
    source = store(kind, tmp_path, ROWS)
    first, second = load_pairs(program("team"), source)
    assert first.source == f"{source}:1"
    assert dict(first.chosen.inputs) == {"question": "q1"}
    assert dict(first.chosen.values) == {
        "draft[a]": Completion("1", (4, 5)),
        "draft[b]": Completion("two 2"),
        "n[a]": "1",  # recomputed
        "n[b]": "2",
        "list": Completion("a, b", (6,)),
        "parts": ("a", "b"),
        "answer": Completion("x"),
    }
    assert first.rejected.nonexistent == {"n[b]", "list", "parts", "answer"}
    assert first.rejected.failed
    assert first.chosen.extra == {"id": 7}
    assert second.chosen["question"] == "é\u2028 🙂"
    assert (second.chosen["answer"], second.chosen["parts"]) == ("", ())


TRL = {
    "plain": {"prompt": "q", "chosen": "good", "rejected": "bad"},
    "messages": {
        "prompt": [{"role": "user", "content": "q"}],
        "chosen": [{"role": "assistant", "content": "good"}],
        "rejected": [{"role": "assistant", "content": "bad"}],
    },
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("style", TRL)
def test_trl_format(style: str, kind: str, program: Programs, tmp_path: Path) -> None:
    (pair,) = load_pairs(program("one"), store(kind, tmp_path, [{**TRL[style], "id": "k"}]))
    assert dict(pair.chosen.inputs) == {"question": "q"}
    assert dict(pair.chosen.values) == {"answer": Completion("good")}
    assert dict(pair.rejected.values) == {"answer": Completion("bad")}
    assert pair.rejected.extra == {"id": "k"}


ASSISTANT = [{"role": "assistant", "content": "good"}]
BY_NODE = {"draft": "d", "answer": "good"}
FLAT: dict[str, dict[str, Any]] = {
    # Intel/orca_dpo_pairs: a system prompt beside the question
    "texts": {"system": "s", "question": "q", "chosen": "good"},
    "message": {"question": "q", "chosen": ASSISTANT, "prompt": None},
    "prompt beside it": {"question": "q", "chosen": "good", "prompt": "not an input"},
    "by node": {"question": "q", "chosen": BY_NODE},
    "prompt, by node": {"prompt": "q", "chosen": BY_NODE},
    "inputs, text": {"inputs": {"question": "q"}, "chosen": "good", "question": "another"},
}


@pytest.mark.parametrize("kind", ["jsonl", "parquet", "save_to_disk"])
@pytest.mark.parametrize("style", FLAT)
def test_inputs_and_sides_are_independent(
    style: str, kind: str, program: Programs, tmp_path: Path
) -> None:
    """As sets of preferences are on the Hub."""
    fields = {**FLAT[style], "rejected": {"answer": "bad"}, "id": 3}
    (pair,) = load_pairs(program("two"), store(kind, tmp_path, [fields]))
    assert dict(pair.chosen.inputs) == {"question": "q"}
    draft = {"draft": Completion("d")} if "by node" in style else {}
    assert dict(pair.chosen.values) == {**draft, "answer": Completion("good")}
    assert dict(pair.rejected.values) == {"answer": Completion("bad")}
    beside = {"system", "id", "prompt", "question"} & fields.keys()
    beside -= {"prompt"} if style.startswith("prompt,") else set()
    beside -= set() if style.startswith("inputs") else {"question"}
    assert dict(pair.chosen.extra) == {name: fields[name] for name in beside}


def test_an_input_called_prompt(jsonl: Callable[..., Path]) -> None:
    """Is what TRL calls so, messages included."""
    graph = (HEAD + GRAPHS["one"]).replace("question", "prompt")
    compiled = sysgraph.compile(sysgraph.load(graph))
    pairs = load_pairs(compiled, jsonl(*TRL.values()))
    assert [dict(pair.chosen.inputs) for pair in pairs] == [{"prompt": "q"}] * 2


def test_trl_rows_mixed_with_own(program: Programs, jsonl: Callable[..., Path]) -> None:
    """As one Parquet table has them: every row has every column, most of them null."""
    own = {"inputs": {"question": "q"}, "chosen": {"answer": "good"}, "rejected": {"answer": "bad"}}
    path = jsonl({**own, "prompt": None}, {**TRL["plain"], "inputs": None})
    first, second = load_pairs(program("one"), path)
    assert (first.chosen.values, first.rejected.values) == (
        second.chosen.values,
        second.rejected.values,
    )


@pytest.mark.parametrize("kind", KINDS)
def test_inputs(kind: str, program: Programs, tmp_path: Path) -> None:
    rows = [{"question": "q1", "gold": 1.5}, {"question": "", "gold": None}]
    assert load_inputs(program("two"), store(kind, tmp_path, rows)) == rows


def test_nested_inputs_and_toys(program: Programs, jsonl: Callable[..., Path]) -> None:
    path = jsonl({"inputs": {"question": "q"}, "gold": "g"})
    assert load_inputs(program("two"), path) == [{"question": "q", "gold": "g"}]
    toy = load_inputs(program("two"), "toy:specialists/test")[0]
    assert set(toy) == {"question", "reference"}


def test_columns_become_json(program: Programs, tmp_path: Path) -> None:
    """`collect` writes a row's other fields on: a column may hold what JSON cannot."""
    import datetime

    table = pyarrow.table(
        {
            "question": ["q"],
            "day": [datetime.date(2024, 2, 3)],
            "raw": [b"\x00"],
            "nan": [float("nan")],
            "deep": [[{"x": float("inf")}]],
        }
    )
    pyarrow.parquet.write_table(table, tmp_path / "r.parquet")
    (row,) = load_inputs(program("one"), tmp_path / "r.parquet")
    assert json.loads(json.dumps(row, allow_nan=False)) == row
    assert (row["day"], row["nan"], row["deep"]) == ("2024-02-03", None, [{"x": None}])


def test_blank_lines_keep_their_numbers(program: Programs, jsonl: Callable[..., Path]) -> None:
    pairs = load_pairs(program("one"), jsonl("", TRL["plain"], "  ", TRL["plain"]))
    assert [pair.source.rsplit(":", 1)[1] for pair in pairs] == ["2", "4"]


def test_real_pairs(program: Programs, shared: Path) -> None:
    gsm8k = load_pairs(program("one"), shared / "gsm8k_pairs.jsonl")
    assert len(gsm8k) == 1445
    assert gsm8k[0].chosen["question"].startswith("Janet’s ducks")  # type: ignore[union-attr]
    staged = load_pairs(program("two"), shared / "two_stage_traces.jsonl")
    assert len(staged) == 481
    assert all(pair.chosen["draft"] == pair.rejected["draft"] for pair in staged)
    gaps = load_pairs(program("two"), shared / "gsm8k_pairs.jsonl")
    assert len(gaps) == 1445
    assert all(list(side.values) == ["answer"] for p in gaps for side in (p.chosen, p.rejected))
