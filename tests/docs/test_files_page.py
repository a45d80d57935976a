"""docs/files.md: what it shows is what is written."""

import re
import shlex
from pathlib import Path

import pytest

from ..cli.test_run import here

PAGE = (Path(__file__).parents[2] / "docs" / "files.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


def test_the_page_writes_what_it_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    given, written = blocks("json")
    Path("pair.yaml").write_text(*blocks("yaml"))
    Path("questions.jsonl").write_text(given)
    (command,) = blocks("console")
    done = here(shlex.split(command.removeprefix("$ sysgraph")), monkeypatch, capsys)
    assert done.code == 1
    assert "error: 1 of 3 rows failed, the first: questions.jsonl:3: question: missing" in done.err
    assert Path("answers.jsonl").read_text() == written
