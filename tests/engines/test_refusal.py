"""Prompts that nothing can be drawn for are told without running the model, as sampling tells."""

from pathlib import Path

import pytest

from sysgraph import DataError, InputError, System
from sysgraph.system.answerable import require_answerable

from .conftest import MakeProgram


def test_prompts_of_rows(chat_folder: Path, one_node: MakeProgram) -> None:
    """Empty for a tokenizer without a beginning token, or longer than the window."""
    system = System(one_node(chat_folder), device="cpu")
    rows = [{"question": q} for q in ("How many clips?", "", "egg " * 1100, "Two eggs?")]
    with pytest.raises(DataError) as caught:
        require_answerable(system, rows, "rows.jsonl")
    first, second = caught.value.problems
    assert first.startswith("rows.jsonl: row 2: answer: the prompt is empty")
    assert second.startswith("rows.jsonl: row 3: answer: a prompt of ")
    for row, problem in zip(rows[1:3], (first, second), strict=True):
        with pytest.raises(InputError) as raised:
            system.sample(row)
        assert f"rows.jsonl: row {rows.index(row) + 1}: {raised.value}" == problem
    require_answerable(system, [rows[0], rows[3]], "rows.jsonl")
