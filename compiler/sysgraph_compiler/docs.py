"""The reference pages, from their subjects: `python -m sysgraph_compiler.docs docs` writes them.

`language.md` comes from the schema of graph files, `templates.md` and `diagnostics.md` from what
`sysgraph explain` says. A page that no longer says what the code does fails a test.
"""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sysgraph_schemas import Code
from sysgraph_schemas.json_schema import Schema, graph_schema

from .pipeline import CODES
from .templates import reference

_GENERATED = "<!-- Generated: `python -m sysgraph_compiler.docs docs` writes this file. -->"
_FAMILIES = {
    "0": "The file",
    "1": "The shape of the file",
    "2": "Edges and outputs",
    "3": "Models, parsers and tools",
    "4": "Templates and sampling settings",
    "5": "Types",
    "6": "Copies and loops",
    "7": "Training",
    "8": "What data holds",
    "9": "Gates",
}


def pages() -> dict[str, str]:
    """The text of each generated page, by file name."""
    return {
        "language.md": _language(),
        "templates.md": f"# Templates\n\n{_GENERATED}\n\n{reference.page()}",
        "diagnostics.md": _diagnostics(),
    }


# ---- the language


def _language() -> str:
    schema = graph_schema()
    parts = [
        "# The graph file",
        _GENERATED,
        "A graph file is YAML 1.2: a mapping with these keys. `sysgraph check` says what is wrong "
        "with one, [diagnostics.md](diagnostics.md) what its codes mean, "
        "[templates.md](templates.md) what prompts can say, and the files in "
        "[`graphs/`](../graphs) run as they are. In Python, each section is a class of that name "
        "in `sysgraph`.",
        _keys(schema),
    ]
    written: set[str] = set()
    for key, value in schema["properties"].items():
        refs = [*dict.fromkeys(_references(value))]
        if refs:
            parts.append(f"## `{key}`")
            for name in refs:
                parts += _sections(schema["$defs"], name, written)
    return "\n\n".join(parts) + "\n"


def _sections(definitions: dict[str, Schema], name: str, written: set[str]) -> Iterator[str]:
    """A class of the language, and after it those that its keys lead to, each once."""
    if name in written:
        return
    written.add(name)
    section = definitions[name]
    kind = section["properties"].get("kind", {}).get("const")
    yield f"### `kind: {kind}`" if kind else f"### {name}"
    about = f"{_prose(section['description'])}\n\n" if "description" in section else ""
    yield f"{about}In Python: `sysgraph.{name}`."
    if text := _keys(section):
        yield text
    for value in section["properties"].values():
        for found in _references(value):
            yield from _sections(definitions, found, written)


def _keys(section: Schema) -> str:
    """One item a key: its type and default, what it means, an example."""
    required = section.get("required", [])
    return "\n".join(
        _key(name, value, name in required)
        for name, value in section["properties"].items()
        if name != "kind"
    )


def _key(name: str, value: Schema, required: bool) -> str:
    facts = [_type(value)]
    if required:
        facts.append("required")
    elif "default" in value:
        facts.append(f"default `{_literal(value['default'])}`")
    meaning = _prose(" ".join(value.get("description", "").split()))
    examples = value.get("examples", [])
    shown = ", ".join(f"`{_literal(example)}`" for example in examples)
    example = f" For example {shown}." if shown and "enum" not in value else ""
    return f"- `{name}` ({', '.join(facts)}): {meaning}{example}"


def _literal(value: Any) -> str:
    return value if isinstance(value, str) and value.strip() else json.dumps(value)


def _type(node: Schema) -> str:
    """What a value is, in words: `a number, more than 0`."""
    if "enum" in node:
        return " or ".join(f"`{_literal(one)}`" for one in node["enum"] if one is not None)
    if "const" in node:
        return f"`{_literal(node['const'])}`"
    if "anyOf" in node:
        return " or ".join(dict.fromkeys(_type(one) for one in node["anyOf"]))
    refs = [*dict.fromkeys(_references({**node, "additionalProperties": None}))]
    if "allOf" in node or "$ref" in node:
        return " or ".join(refs)
    found = node.get("type", "object")
    plain = [one for one in ([found] if isinstance(found, str) else found) if one != "null"]
    words = " or ".join(_WORDS[one] for one in plain)
    if plain == ["array"]:
        words = f"a list of {_several(node.get('items', {}))}"
    bounds = [f"{said} {node[key]}" for key, said in _BOUNDS.items() if key in node]
    return ", ".join([words, *bounds]) + (", or null" if "null" in found else "")


def _several(item: Schema) -> str:
    if item.get("type") == "array":
        return f"lists of {_several(item.get('items', {}))}"
    if "oneOf" in item:
        return " or ".join(_several(one) for one in item["oneOf"])
    if "$ref" in item:
        return f"{item['$ref'].rpartition('/')[2]}s"
    return {"string": "texts", "number": "numbers"}.get(item.get("type", ""), "values")


_WORDS = {
    "string": "a text",
    "number": "a number",
    "integer": "a whole number",
    "boolean": "`true` or `false`",
    "object": "a mapping",
    "array": "a list",
    "null": "null",
}
_BOUNDS = {
    "minimum": "at least",
    "exclusiveMinimum": "more than",
    "maximum": "at most",
    "exclusiveMaximum": "less than",
}


def _references(node: Any) -> Iterator[str]:
    """The classes that a part of the schema leads to."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "$ref":
                yield value.rpartition("/")[2]
            else:
                yield from _references(value)
    elif isinstance(node, list):
        for value in node:
            yield from _references(value)


def _prose(text: str) -> str:
    """A docstring as Markdown: what is no code keeps its angle brackets."""
    parts = re.split(r"(`[^`]*`)", text)
    return "".join(part if part[:1] == "`" else part.replace("<", r"\<") for part in parts)


# ---- the diagnostics


def _diagnostics() -> str:
    parts = [
        "# What `sysgraph check` finds",
        _GENERATED,
        "Every kind of problem has a code; `sysgraph explain CODE` prints its entry. An error "
        "stops every command before anything is started or written; a warning is shown and stops "
        "nothing.",
    ]
    for digit, title in _FAMILIES.items():
        found = [code for code in CODES if code.id[2] == digit]
        parts.append(f"## {title}")
        parts += [_entry(code) for code in sorted(found, key=lambda code: code.id)]
    return "\n\n".join(parts) + "\n"


def _entry(code: Code) -> str:
    severity = " (warning)" if code.severity == "warning" else ""
    wrong, right = _example(code.wrong), _example(code.right)
    title = f"### {code.id}: {code.title}{severity}"
    return "\n\n".join([title, _prose(code.meaning), "Wrong:", wrong, "Right:", right])


def _example(text: str) -> str:
    language = "sh" if text.startswith("sysgraph ") else "yaml"
    return f"```{language}\n{text.rstrip()}\n```"


if __name__ == "__main__":
    for name, text in pages().items():
        (Path(sys.argv[1]) / name).write_text(text, encoding="utf-8")
