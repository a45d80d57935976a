"""The tables of measurements in pages are those of what is kept in benchmarks/."""

from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks import progression, real, tuning

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("page", "written"),
    [
        ("progression.md", progression.with_tables),
        ("real.md", real.with_tables),
        ("tuning.md", tuning.with_tables),
    ],
)
def test_a_table_is_what_was_measured(page: str, written: Callable[[str], str]) -> None:
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    assert text == written(text)
    assert text.count("\n| ") > 5
