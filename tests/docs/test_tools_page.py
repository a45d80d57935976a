"""docs/tools.md, done as it says: the files are written, the commands run."""

import contextlib
import io
import re
import shlex
from pathlib import Path

import pytest

import sysgraph

from ..cli.test_run import here

PAGE = (Path(__file__).parents[2] / "docs" / "tools.md").read_text(encoding="utf-8")
FILE = re.compile(r"`([\w.]+)`:\n\n```\w+\n(.*?)^```$", re.DOTALL | re.MULTILINE)
COMMANDS = re.compile(r"^```sh\n(.*?)^```$", re.DOTALL | re.MULTILINE)
SHOWN = re.compile(r"^```python\n([^`]*?)^```\n\n```text\n(.*?)^```$", re.DOTALL | re.MULTILINE)
SAYS = {
    "check": "capitals.yaml: ok",
    "collect": "4 without an output, as a parser or tool rejected",
    "country=Peru": "found: Lima",
    "rag.yaml": "- The auk is a bird that swims.\n",
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, text in FILE.findall(PAGE):
        (tmp_path / name).write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_commands(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = "".join(COMMANDS.findall(PAGE)).splitlines()
    assert len(lines) == len(SAYS)
    for line, said in zip(lines, SAYS.values(), strict=True):
        done = here(shlex.split(line)[1:], monkeypatch, capsys)
        assert (done.code, said in done.out) == (0, True), (line, done)


def test_python(folder: Path) -> None:
    ((code, shown),) = SHOWN.findall(PAGE)
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        exec(compile(code, "tools.md", "exec"), {})
    assert said.getvalue() == shown


def test_the_class_is_a_tool(folder: Path) -> None:
    from sysgraph.tools.plugins import plugin_tools

    (folder / "words.json").write_text('{"auk": "a bird"}')
    text = (folder / "capitals.yaml").read_text().replace("tool: capital", "tool: glossary")
    text = text.replace("args: {country:", "settings: {words: words.json}, args: {word:")
    (folder / "glossary.yaml").write_text(text)
    program = sysgraph.compile(
        sysgraph.load(folder / "glossary.yaml"), tools=plugin_tools(["glossary.py"])
    )
    traces = sysgraph.System(program).sample([{"country": "auk"}, {"country": "lynx"}])
    assert traces[0]["found"] == "a bird"
    assert traces[1].failures == {"found": "lynx is not there"}
