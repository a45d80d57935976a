"""The JSON Schema of graph files, for editors: `python -m sysgraph_schemas.json_schema` writes it.

It comes from the pydantic models. It accepts every file that the loader accepts; what it cannot say
(a cycle, an undefined variable) is for `sysgraph check`.
"""

import json
from pathlib import Path
from typing import Any

from .graph import Graph
from .part import PartNode
from .spec import IDENTIFIER

FILE = Path(__file__).with_name("graph.schema.json")

DRAFT = "http://json-schema.org/draft-07/schema#"

Schema = dict[str, Any]

_SCALARS = ["string", "number", "boolean", "null"]


def graph_schema() -> Schema:
    """The schema of a graph file, in draft 7, which editors know best: its sections and keys."""
    schema = Graph.model_json_schema()
    schema["$defs"]["PartNode"] = PartNode.model_json_schema()
    schema = tidy(schema)
    schema["$defs"]["PartNode"]["required"] = ["use"]
    for definition in schema["$defs"].values():
        for key in TEXTS & definition["properties"].keys():
            definition["properties"][key] |= _text_or_file(definition["properties"][key])
    nodes = schema["properties"]["nodes"]
    nodes["additionalProperties"] = {
        "type": "object",
        "if": {"required": ["use"]},
        "then": {"$ref": "#/$defs/PartNode"},
        "else": nodes["additionalProperties"],
    }
    schema["properties"] |= FILE_KEYS
    return {"$schema": DRAFT, "title": "sysgraph graph", **schema}


TEXTS = frozenset({"prompt", "content"})
"""Keys whose text can be that of a file."""

FILE_KEYS: Schema = {
    "base": {
        "type": "string",
        "description": "Another graph file, from this one's folder downwards, that this one "
        "overlays: mappings go together key by key, null removes a key, and anything else stands "
        "in place of what was there. With it, only what differs need be written.",
        "examples": ["base.yaml"],
    },
    "vars": {
        "type": "object",
        "description": "Values with defaults that the texts of this file use as `${name}`; "
        "`--set vars.name=...` gives others.",
        "examples": [{"style": "short", "steps": 200}],
        "propertyNames": {"pattern": IDENTIFIER},
        "additionalProperties": {"type": [*_SCALARS, "array"], "items": {"type": _SCALARS}},
    },
}
"""What a file can have beside a graph's own sections."""


def file_schema() -> Schema:
    """The schema of what stands in a file: `${name}` in place of any value, or parts of a base."""
    schema: Schema = _with_variables(graph_schema())
    whole = {key: schema.pop(key) for key in ("required", "additionalProperties")}
    properties = schema["properties"]
    loose = {key: _told(value) for key, value in properties.items()}
    over = {"properties": {**loose, "base": properties["base"]}, "additionalProperties": False}
    return {**schema, "properties": loose} | {
        "if": {"required": ["base"]},
        "then": over,
        "else": {"properties": properties, **whole},
    }


def _told(value: Schema) -> Schema:
    """What an editor shows of a key, without what its value must be."""
    return {key: value[key] for key in ("description", "examples", "default") if key in value}


def _text_or_file(value: Schema) -> Schema:
    found = value["type"]
    types = [found] if isinstance(found, str) else found
    return {
        "type": [*types, "object"],
        "description": f"{value['description']} `{{file: path}}` takes it from a text file, from "
        "this file's folder downwards.",
        "properties": {"file": {"type": "string"}},
        "required": ["file"],
        "additionalProperties": False,
    }


_VARIABLE = r"\$\{[A-Za-z_][A-Za-z0-9_]*\}"


def _with_variables(node: Any) -> Any:
    """Every value can be a variable, where a text alone would not be allowed."""
    if isinstance(node, list):
        return [_with_variables(item) for item in node]
    if not isinstance(node, dict):
        return node
    named = {"properties", "$defs"}
    kept = {"propertyNames", "examples", "if", "discriminator"}
    made = {
        key: {name: _with_variables(part) for name, part in value.items()}
        if key in named
        else value
        if key in kept
        else _with_variables(value)
        for key, value in node.items()
    }
    types = [made["type"]] if isinstance(made.get("type"), str) else made.get("type", [])
    strict = "enum" in made or "pattern" in made
    if "const" in made or not types or (types == ["object"] and "$ref" not in str(made)):
        return made
    if strict:
        rest = {key: made.pop(key) for key in [*made] if key not in ("description", "examples")}
        return {**made, "anyOf": [rest, {"type": "string", "pattern": _VARIABLE}]}
    if "string" not in types and types != ["object"]:
        return {**made, "type": [*types, "string"], "pattern": _VARIABLE}
    return made


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
    legal = one.get("enum", [one["const"]] if "const" in one else [])
    if not legal:
        return one
    return {**{key: value for key, value in one.items() if key != "const"}, "enum": [*legal, None]}


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
    FILE.write_text(as_text(file_schema()), encoding="utf-8")
