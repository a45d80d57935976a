"""The commands of docs/servers.md, with a server of the test's own."""

import re
import shlex
from pathlib import Path

import pytest

from sysgraph import toys
from sysgraph.toys.cache import cache_root

from ..cli.test_run import here
from ..engines.server.vllm_like import serving

PAGE = (Path(__file__).parents[2] / "docs" / "servers.md").read_text(encoding="utf-8")
FILE = re.compile(r"`([\w.]+)`:\n\n```\w+\n(.*?)^```$", re.DOTALL | re.MULTILINE)
BLOCK = re.compile(r"^```console\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def test_commands_do_what_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, text in FILE.findall(PAGE):
        Path(name).write_text(text, encoding="utf-8")
    folder, cache = toys.model_folder("toy:specialist-color"), cache_root()
    monkeypatch.setenv("SYSGRAPH_CACHE", str(tmp_path / "cache"))
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "toys").symlink_to(cache / "toys")
    with serving(folder) as vllm:
        for line in "".join(BLOCK.findall(PAGE)).splitlines():
            words = shlex.split(line.removeprefix("$ ").replace("$GPU", vllm.url))
            done = here(words[1:], monkeypatch, capsys)
            assert done.code == 0, (line, done.err)
            assert "draws from model 'editor' as it is here: over " in done.err, line
        assert Path("answers.jsonl").read_text().count("\n") == 3
    code = re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    names: dict[str, object] = {}
    exec(compile(code[0], "servers.md", "exec"), names)
