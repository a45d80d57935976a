"""The JSON Schema of graph files: up to date, documented, and neither stricter nor blind."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from jsonschema import Draft7Validator

from sysgraph_schemas import Graph, dump, read
from sysgraph_schemas.json_schema import FILE, as_text, file_schema
from sysgraph_schemas.source import Source
from sysgraph_schemas.yaml_reader import read_yaml

from .test_round_trip import GRAPHS, ROOT, graphs

SCHEMA = json.loads(FILE.read_text(encoding="utf-8"))
VALIDATOR = Draft7Validator(SCHEMA)
GOLDEN = ROOT / "tests" / "golden"
MODELINE = "# yaml-language-server: $schema=../schemas/sysgraph_schemas/graph.schema.json"

# Wrong in ways that a schema can say. SG102, SG107 and SG108 are told apart by more than that.
SHAPES = ["SG101", "SG103", "SG104", "SG105", "SG106", "SG109"]


def data(text: str) -> object:
    return read_yaml(Source("f", text))[0].value


def test_the_file_is_up_to_date() -> None:
    """`python -m sysgraph_schemas.json_schema` writes it."""
    assert FILE.read_text(encoding="utf-8") == as_text(file_schema())


def test_it_is_a_schema() -> None:
    Draft7Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("path", GRAPHS, ids=lambda path: path.stem)
def test_graphs_fit_and_name_the_schema(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    VALIDATOR.validate(data(text))
    assert text.split("\n", 1)[0] == MODELINE


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("SG[2-8]*.yaml")), ids=lambda path: path.stem)
def test_what_only_the_compiler_refuses_fits(path: Path) -> None:
    VALIDATOR.validate(data(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize("code", SHAPES)
def test_every_place_the_loader_complains_about_is_found(code: str) -> None:
    text = (GOLDEN / f"{code}.yaml").read_text(encoding="utf-8")
    found = [d for d in read(text).diagnostics if "finite" not in d.message]  # JSON has no .inf
    ours = {tuple(map(str, d.path)) for d in found}
    theirs = set()
    for error in VALIDATOR.iter_errors(data(text)):
        path = tuple(map(str, error.absolute_path))
        keys = (
            [str(key) for key in error.instance if f"'{key}'" in error.message]
            if isinstance(error.instance, dict)
            else []
        )
        theirs |= {path, *((*path, key) for key in keys)}
        if error.validator == "pattern" and code == "SG106":
            theirs.add((*path, str(error.instance)))
    assert ours <= theirs, ours - theirs


@settings(max_examples=100, deadline=None)
@given(graphs)
def test_what_the_loader_accepts_fits(graph: Graph) -> None:
    VALIDATOR.validate(data(dump(graph)))


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        (
            "kind: llm",
            "'llm' is not one of ['choice', 'diffusion', 'input', 'lm', 'parse', 'select', 'tool']",
        ),
        ("model: ada", "'kind' is a required property"),
        ("kind: lm, prompt: hi", "'model' is a required property"),
        ("kind: lm, model: ada, promt: hi", "'promt' was unexpected"),
        ("kind: lm, model: 3, prompt: hi", "3 is not of type 'string'"),
        ("kind: lm, model: ada, prompt: [hi]", "['hi'] is not of type 'string', 'null'"),
    ],
)
def test_messages_are_about_the_kind_that_is_written(said: str, wanted: str) -> None:
    text = f"name: x\nmodels: {{}}\nnodes: {{a: {{{said}}}}}\nedges: []\noutputs: [a]\n"
    messages = [error.message for error in VALIDATOR.iter_errors(data(text))]
    assert len(messages) == 1
    assert wanted in messages[0]


def fields(schema: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, definition in {"Graph": schema["else"], **schema["$defs"]}.items():
        for key, field in definition["properties"].items():
            yield f"{name}.{key}", field


@pytest.mark.parametrize(("name", "field"), list(fields(SCHEMA)))
def test_every_field_has_a_description_and_an_example(name: str, field: dict[str, Any]) -> None:
    assert field["description"].endswith((".", ")"))
    validator = Draft7Validator({**field, "$defs": SCHEMA["$defs"]})
    assert field["examples"]
    for example in field["examples"]:
        validator.validate(example)
