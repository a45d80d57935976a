"""What the pages show is what happens, and what they name is there."""

import contextlib
import io
import re
from pathlib import Path

import pytest

from ..test_rooms import MODULES, ROOMS

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
CODE = re.compile(r"^```python\n(.*?)^```\n(?:\n^```text\n(.*?)^```$)?", re.DOTALL | re.MULTILINE)
FILES = re.compile(r"`((?:sysgraph|sysgraph_schemas|sysgraph_compiler|tests|docs|graphs)/[^`*]*)`")
each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


@pytest.mark.parametrize("page", ["architecture.md", "latent.md", "loops.md", "painters.md"])
def test_a_page_prints_what_it_shows(page: str) -> None:
    """The blocks in order: later ones use what earlier ones made."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    found = CODE.findall(text)
    assert found
    names: dict[str, object] = {}
    for code, shown in found:
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            exec(compile(code, page, "exec"), names)
        assert said.getvalue() == shown


def test_the_rooms_are_told_in_their_order() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    table = text.partition("## The rooms")[2]
    assert tuple(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == ROOMS


@each_page
def test_links_lead_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]+)", re.sub(r"^```.*?^```", "", text, flags=re.M | re.S)):
        if "://" not in target:
            assert (page.parent / target).exists(), target


@each_page
def test_files_that_are_named_are_there(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    written = re.findall(r"`([^`]+)`:\n\n```", text)  # by who follows a recipe
    for name in {*FILES.findall(text)} - {*written}:
        places = (ROOT, ROOT / "compiler", ROOT / "schemas")
        assert any((place / name).exists() for place in places), name


def test_modules_that_are_named_are_there() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    for name in re.findall(r"python -m (sysgraph\w*[.\w]*)", text):
        assert name in MODULES
