"""From a place in a text to its place in the file, through YAML's quotes, escapes and folding."""

import re

from .located import Located

_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|.)")
_CONTINUED = re.compile(r"\\\r?\n")


def offsets(node: Located, start: int, end: int) -> tuple[int, int]:
    """Where `text[start:end]` of a scalar stands in the file; all of it if unclear."""
    assert isinstance(node.value, str)
    text = node.value
    if node.rewritten is not None:
        start, end = node.rewritten.place(start, end)
        text = node.rewritten.original
    positions = _positions(node, text[:end])
    if positions is None or not 0 <= start < end <= len(positions):
        return node.start, node.end
    return positions[start], positions[end - 1] + 1


def _positions(node: Located, value: str) -> list[int] | None:
    """For each character of the value, its offset in the file.

    White space may be folded, so any stands for any; all other characters must agree.
    """
    raw = node.source.text[node.start : node.end]
    style = node.style
    at = 1 if style in ('"', "'") else raw.find("\n") + 1 if style in ("|", ">") else 0
    positions: list[int] = []
    for char in value:
        if not char.isspace():
            at = _skip_space(raw, at, style)
        width = _width(raw, at, char, style)
        if width == 0:
            return None
        positions.append(node.start + at)
        at += width
    return positions


def _skip_space(raw: str, at: int, style: str | None) -> int:
    """Over line breaks and indentation before a character."""
    while at < len(raw):
        continued = _CONTINUED.match(raw, at) if style == '"' else None
        if continued:
            at = continued.end()
        elif raw[at].isspace():
            at += 1
        else:
            break
    return at


def _width(raw: str, at: int, char: str, style: str | None) -> int:
    """How many characters of the file stand for `char`; 0 if it is not there."""
    if at >= len(raw):
        return 0
    if style == "'" and char == "'":
        return 2 if raw.startswith("''", at) else 0
    if style == '"' and raw[at] == "\\":
        match = _ESCAPE.match(raw, at)
        return len(match[0]) if match else 0
    if char.isspace() and raw[at].isspace():
        return 2 if raw.startswith("\r\n", at) else 1
    return 1 if raw[at] == char else 0
