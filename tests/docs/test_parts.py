"""docs/parts.md: its files are written, its commands run, and they say what it shows."""

import contextlib
import io
import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sysgraph.cli import app

PAGE = (Path(__file__).parents[2] / "docs" / "parts.md").read_text(encoding="utf-8")
FILES = re.findall(r"`([\w./]+)`:\n\n```\w+\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
COMMANDS = re.findall(
    r"^```sh\n(.*?)^```\n(?:\n^```text\n(.*?)^```$)?", PAGE, re.DOTALL | re.MULTILINE
)
CODE = re.findall(r"^```python\n(.*?)^```\n\n^```text\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


def test_the_page_does_what_it_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert [name for name, _ in FILES] == [
        *("parts/solve.yaml", "parts/prompts/review.txt", "team.yaml", "small.yaml")
    ]
    for name, text in FILES:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(text, encoding="utf-8")
    assert len(COMMANDS) == 3
    for lines, shown in COMMANDS:
        for line in lines.splitlines():
            done = CliRunner().invoke(app, shlex.split(line)[1:])
            assert done.exit_code == 0, done.output
            assert shown in done.output
            assert "check" not in line or done.output.endswith(": ok\n"), done.output
    (code, shown), said = CODE[0], io.StringIO()
    with contextlib.redirect_stdout(said):
        exec(compile(code, "parts.md", "exec"), {})
    assert said.getvalue() == shown
