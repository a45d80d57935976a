"""The JSON Schema of `compile --emit json`: `python -m sysgraph_compiler.json_schema` writes it."""

from pathlib import Path

from sysgraph_schemas.json_schema import DRAFT, Schema, as_text, tidy

from .program import Program

FILE = Path(__file__).with_name("program.schema.json")


def program_schema() -> Schema:
    """The schema of a program's JSON."""
    return {"$schema": DRAFT, "title": "sysgraph program", **tidy(Program.model_json_schema())}


if __name__ == "__main__":
    FILE.write_text(as_text(program_schema()), encoding="utf-8")
