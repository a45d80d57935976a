"""The JSON Schema of graph files, for editors: `python -m sysgraph_schemas.json_schema` writes it.

It comes from the pydantic models. It accepts every file that the loader accepts; what it cannot say
(a cycle, an undefined variable) is for `sysgraph check`.
"""

import json
from pathlib import Path
from typing import Any

from .graph import Graph

FILE = Path(__file__).with_name("graph.schema.json")

DRAFT = "http://json-schema.org/draft-07/schema#"

Schema = dict[str, Any]


def graph_schema() -> Schema:
    """The schema of a graph file, in draft 7, which editors know best."""
    schema = tidy(Graph.model_json_schema())
    return {"$schema": DRAFT, "title": "sysgraph graph", **schema}


def as_text(schema: Schema) -> str:
    """The schema as it stands in its file."""
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def tidy(schema: Schema) -> Schema:
    """What pydantic gives, as a reader of the file and an editor want it."""
    for definition in schema.get("$defs", {}).values():
        if "const" in definition.get("properties", {}).get("kind", {}):
            definition["required"] = ["kind", *definition.get("required", [])]
    tidied: Schema = _tidy(schema)
    return tidied


def _tidy(node: Any) -> Any:
    if isinstance(node, list):
        return [_tidy(item) for item in node]
    if not isinstance(node, dict):
        return node
    if "discriminator" in node:
        return _by_kind(node)
    if "patternProperties" in node:
        ((pattern, value),) = node["patternProperties"].items()
        node = {k: v for k, v in node.items() if k != "patternProperties"}
        names = {"pattern": pattern, **node.pop("propertyNames", {})}
        node |= {"propertyNames": names, "additionalProperties": value}
    if "$ref" in node and len(node) > 1:  # draft 7 ignores what stands beside a $ref
        node = {**node, "allOf": [{"$ref": node["$ref"]}]}
        del node["$ref"]
    node = _nullable(node)
    named = {"properties", "$defs"}  # their keys are names, not keywords
    return {
        key: {name: _tidy(part) for name, part in value.items()} if key in named else _tidy(value)
        for key, value in node.items()
        if key != "title" and not (key == "default" and not isinstance(value, str | int | float))
    }


def _nullable(node: Schema) -> Schema:
    """`anyOf` a type and null as one type or null: a wrong value then has one reason, not two."""
    members = node.get("anyOf", [])
    if len(members) != 2 or members[1] != {"type": "null"} or "type" not in members[0]:
        return node
    rest = {key: value for key, value in node.items() if key != "anyOf"}
    one = {**members[0], **rest, "type": [members[0]["type"], "null"]}
    return {**one, "enum": [*one["enum"], None]} if "enum" in one else one


def _by_kind(node: Schema) -> Schema:
    """A union by `kind` as if/then: the messages are about the kind that was written."""
    kinds: dict[str, str] = node["discriminator"]["mapping"]
    return {
        "type": "object",
        "required": ["kind"],
        "properties": {"kind": {"enum": list(kinds)}},
        "allOf": [
            {
                "if": {"required": ["kind"], "properties": {"kind": {"const": kind}}},
                "then": {"$ref": reference},
            }
            for kind, reference in kinds.items()
        ],
    }


if __name__ == "__main__":
    FILE.write_text(as_text(graph_schema()), encoding="utf-8")
