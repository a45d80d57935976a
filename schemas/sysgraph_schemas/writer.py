"""A graph as YAML text that loads to an equal graph and reads well."""

import re
from collections.abc import Mapping
from typing import Any

from .composing.variables import escaped
from .graph import Graph
from .scalars import resolve

_WIDTH = 100
_PLAIN = re.compile(r"[A-Za-z_./][\w ./:+-]*")


def dump(graph: Graph) -> str:
    """The graph file of a graph: sections in the usual order, what is default left out.

    One file, whatever files the graph was read from.
    """
    data = _plain(graph)
    escaped_data = _literal_dollars(data)
    if escaped_data != data:
        data = {"sysgraph": graph.sysgraph, "vars": {}, **escaped_data}
    return "".join(_entry(key, value, 0) for key, value in data.items())


def _plain(graph: Graph) -> dict[str, Any]:
    data: dict[str, Any] = graph.model_dump(mode="python", exclude_defaults=True, by_alias=True)
    for section in ("models", "parsers", "nodes"):
        specs: Mapping[str, Any] = getattr(graph, section)
        if specs:
            data[section] = {
                name: {"kind": spec.kind, **data[section][name]} for name, spec in specs.items()
            }
    data = {"sysgraph": graph.sysgraph, **data}
    return {key: data[key] for key in Graph.model_fields if key in data}


def _literal_dollars(value: Any) -> Any:
    """With no text in it that would be read as a variable."""
    if isinstance(value, dict):
        return {key: _literal_dollars(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_literal_dollars(part) for part in value]
    return escaped(value) if isinstance(value, str) else value


def _entry(key: str, value: Any, indent: int) -> str:
    """`key: value`, on one line where that fits."""
    head = f"{' ' * indent}{_scalar(key)}:"
    line = f"{head} {_flow(value)}"
    is_section = indent == 0 and isinstance(value, dict) and key != "fit"
    is_list = indent == 0 and key == "edges"
    if isinstance(value, str) and "\n" in value and _fits_literal(value):
        return f"{head} {_literal(value, indent + 2)}"
    if not isinstance(value, dict | list) or not value:
        return line + "\n"
    if len(line) <= _WIDTH and not is_section and not is_list and not _has_literal(value):
        return line + "\n"
    if isinstance(value, dict):
        return f"{head}\n" + "".join(_entry(k, v, indent + 2) for k, v in value.items())
    return f"{head}\n" + "".join(_item(item, indent + 2) for item in value)


def _item(value: Any, indent: int) -> str:
    """`- value` of a list."""
    line = f"{' ' * indent}- {_flow(value)}\n"
    if not isinstance(value, dict) or (len(line) <= _WIDTH and not _has_literal(value)):
        return line
    body = "".join(_entry(key, part, indent + 2) for key, part in value.items())
    return f"{' ' * indent}- {body[indent + 2 :]}"


def _has_literal(value: Any) -> bool:
    if isinstance(value, str):
        return "\n" in value and _fits_literal(value)
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return any(_has_literal(part) for part in parts)


def _fits_literal(text: str) -> bool:
    lines = text.split("\n")
    clean = all(line.isprintable() and line == line.rstrip() for line in lines)
    return clean and bool(lines[0]) and not lines[0].startswith(" ") and not text.endswith("\n\n")


def _literal(text: str, indent: int) -> str:
    chomp = "" if text.endswith("\n") else "-"
    lines = text.removesuffix("\n").split("\n")
    body = "".join(f"{' ' * indent}{line}\n" if line else "\n" for line in lines)
    return f"|{chomp}\n{body}"


def _flow(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_scalar(k)}: {_flow(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_flow(item) for item in value) + "]"
    return _scalar(value)


def _scalar(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if _is_plain(value):
        return str(value)
    return '"' + "".join(map(_escaped, value)) + '"'


def _escaped(char: str) -> str:
    """A character inside double quotes."""
    if char in '"\\':
        return f"\\{char}"
    if char.isprintable():
        return char
    return {"\n": "\\n", "\t": "\\t"}.get(char, f"\\U{ord(char):08x}")


def _is_plain(text: str) -> bool:
    """Whether the text means itself without quotes."""
    if not _PLAIN.fullmatch(text) or text != text.strip() or resolve(text) != text:
        return False
    return ": " not in text and not text.endswith(":") and " -" not in text.replace(" ->", "")
