"""Wrong input is named before anything is written."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sysgraph import InputError


def test_folders_that_are_something_else(run: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("mine")
    (tmp_path / "file").write_text("mine")
    for name in ("full", "file"):
        with pytest.raises(InputError, match=f"{name} exists and holds no collection"):
            run(tmp_path / name)
    with pytest.raises(InputError, match="cannot write"):
        run(tmp_path / "file" / "sub")
    assert (tmp_path / "file").read_text() == (tmp_path / "full" / "thesis.txt").read_text()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"samples": 1}, "take 2 to 1024 per input"),
        ({"samples": 10**9}, "take 2 to 1024 per input"),
        ({"scorer": 3}, "3 is no scorer"),
        ({"scorer": "attribute"}, "did you mean `attributes`?"),
        ({"inputs": "nowhere.jsonl"}, "no such file: nowhere.jsonl"),
        ({"model_dir": "no/run"}, "no/run"),
    ],
)
def test_wrong_input_writes_nothing(
    changes: dict[str, Any], said: str, run: Callable[..., Any], tmp_path: Path
) -> None:
    with pytest.raises(InputError) as caught:
        run(tmp_path / "c", **changes)
    assert said in str(caught.value)
    assert not (tmp_path / "c").exists()
