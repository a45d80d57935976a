"""docs/serving.md, done as it says: the files are written, the commands run."""

import re
import shlex
from pathlib import Path

import pytest

from ..cli.test_run import here

WHOLE = (Path(__file__).parents[2] / "docs" / "serving.md").read_text(encoding="utf-8")
# The rest is tested by tests/serving/test_docs.py.
PAGE = WHOLE.partition("\n## The system as one model\n")[0]
FILE = re.compile(r"`([\w.]+)`:\n\n```\w+\n(.*?)^```$", re.DOTALL | re.MULTILINE)
BLOCK = re.compile(r"^```console\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def test_what_is_shown_happens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, text in FILE.findall(PAGE):
        Path(name).write_text(text, encoding="utf-8")
    answers = []
    for part in re.split(r"^\$ ", "".join(BLOCK.findall(PAGE)), flags=re.MULTILINE)[1:]:
        line, _, shown = part.partition("\n")
        done = here(shlex.split(line)[1:], monkeypatch, capsys)
        assert done.code == 0, (line, done.err)
        assert shown in done.out, (line, done.out)
        answers += [done.out] if " run " in line else []
    ours, theirs = answers
    assert ours == theirs
    assert "draft: " in ours
    (code,) = re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    monkeypatch.chdir("served")
    names: dict[str, object] = {}
    exec(compile(code, "serving.md", "exec"), names)
    card = Path("specialist-color/adapters/editor/README.md").read_text(encoding="utf-8")
    for statement in code.splitlines()[3:]:
        assert statement in card
