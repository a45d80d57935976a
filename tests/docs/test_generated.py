"""The reference pages say what the schema and `sysgraph explain` say now."""

from pathlib import Path

import pytest

import sysgraph_schemas
from sysgraph_compiler.docs import pages
from sysgraph_compiler.pipeline import CODES
from sysgraph_schemas.json_schema import graph_schema

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize("name", pages())
def test_pages_are_up_to_date(name: str) -> None:
    now = (DOCS / name).read_text(encoding="utf-8")
    assert now == pages()[name], "run: python -m sysgraph_compiler.docs docs"


def test_every_key_of_every_section_is_there() -> None:
    page = pages()["language.md"]
    schema = graph_schema()
    sections = page.split("\n### ")
    for name, definition in schema["$defs"].items():
        section = next(s for s in sections if f"`sysgraph.{name}`" in s)
        assert getattr(sysgraph_schemas, name)
        for key in definition["properties"]:
            kind = definition["properties"][key].get("const")
            told = f"\n- `{key}` (" in section or section.startswith(f"`kind: {kind}`")
            assert told, (name, key)


def test_every_code_is_there() -> None:
    page = pages()["diagnostics.md"]
    for code in CODES:
        assert page.count(f"\n### {code.id}: {code.title}") == 1
