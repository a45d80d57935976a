"""docs/images.md: what it shows is what happens."""

import re
import shlex
from pathlib import Path

import pytest
from PIL import Image

from ..cli.test_run import here

PAGE = (Path(__file__).parents[2] / "docs" / "images.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


@pytest.mark.usefixtures("hasty_toys")
def test_the_page_shows_what_happens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SYSGRAPH_CACHE", str(tmp_path / "cache"))
    Path("gallery.yaml").write_text(*blocks("yaml"))
    Path("pairs.jsonl").write_text(*blocks("json"))
    for name, color in {"plain": "gray", "red": "red", "dark": "black"}.items():
        Image.new("RGB", (32, 32), color).save(f"{name}.png")
    checked, done = blocks("console")
    for part in checked.split("$ ")[1:]:
        command, _, shown = part.partition("\n")
        said = here(shlex.split(command)[1:], monkeypatch, capsys)
        assert (said.out + said.err).startswith(shown), said
    for line in done.splitlines():
        said = here(shlex.split(line)[2:], monkeypatch, capsys)
        assert said.code == 0, said
    assert (tmp_path / "trained" / "models" / "viewer" / "adapter_model.safetensors").is_file()
