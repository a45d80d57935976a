"""The program as JSON: its schema, and back again after any pass."""

import json

import pytest
from jsonschema import Draft7Validator

import sysgraph_compiler
from sysgraph_compiler import Program, emit_latex, emit_text
from sysgraph_compiler.json_schema import FILE, as_text, program_schema
from sysgraph_compiler.pipeline import PASSES
from sysgraph_schemas import load

from .drawing.samples import KINDS, ODD_GATES
from .emitted import ODD, programs


@pytest.mark.parametrize("text", [ODD, f"name: g\n{KINDS}", f"name: g\n{ODD_GATES}"])
@pytest.mark.parametrize("name", [name for name, _ in PASSES])
def test_a_program_after_any_pass_is_a_program(name: str, text: str) -> None:
    graph = load(text)
    program = sysgraph_compiler.compile(graph, until=name)
    assert Program.from_json(program.to_json()) == program
    assert emit_text(program)
    assert emit_latex(program)
    assert (program == sysgraph_compiler.compile(graph)) == (name == PASSES[-1][0])


def test_the_schema_of_the_ir_is_up_to_date() -> None:
    """`python -m sysgraph_compiler.json_schema` writes it."""
    assert FILE.read_text(encoding="utf-8") == as_text(program_schema())


@pytest.mark.parametrize("program", programs())
def test_json_is_as_its_schema_says(program: Program) -> None:
    Draft7Validator(program_schema()).validate(json.loads(program.to_json()))
    assert Program.from_json(program.to_json()) == program


def test_every_field_of_the_ir_is_described() -> None:
    schema = program_schema()
    for definition in (schema, *schema["$defs"].values()):
        assert all(field.get("description") for field in definition["properties"].values())
