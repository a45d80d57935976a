r"""Texts of files, models and arguments, made fit to be read on a terminal.

A control character steers the reader's terminal, a bidirectional mark reorders what is read, a
zero-width one hides, and half of a surrogate pair cannot be written at all. Whatever is shown to
people goes through `visible` or `visible_lines`, which spell such characters out (`\u001b`).
"""

import re
import unicodedata
from collections.abc import Callable


def visible(text: str) -> str:
    """The text on one line: line breaks are spelled out as well, a tab is a space."""
    return _spelled(text.replace("\t", " "), _escape)


def visible_lines(text: str) -> str:
    """The text with its own lines and tabs."""
    return "".join(
        part if part in ("\n", "\t") else _spelled(part, _escape)
        for part in re.split(r"([\n\t])", text)
    )


def visible_json(text: str) -> str:
    """A JSON document as another one of equal value, with such characters as JSON's escapes."""
    return "".join(
        part if part == "\n" else _spelled(part, _json_escape) for part in re.split(r"(\n)", text)
    )


def half_character(text: str) -> str | None:
    """The first half of a surrogate pair in the text, which no file and no tokenizer takes."""
    found = re.search("[\ud800-\udfff]", text)
    return found[0] if found else None


def _spelled(text: str, escape: Callable[[str], str]) -> str:
    if text.isprintable():
        return text
    return "".join(char if _harmless(char) else escape(char) for char in text)


def _harmless(char: str) -> bool:
    return char.isprintable() or (ord(char) > 127 and unicodedata.category(char) in ("Zs", "Mn"))


def _escape(char: str) -> str:
    if char in "\n\r":
        return "\\n" if char == "\n" else "\\r"
    code = ord(char)
    return f"\\u{code:04x}" if code < 1 << 16 else f"\\U{code:08x}"


def _json_escape(char: str) -> str:
    units = char.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[i : i + 2].hex()}" for i in range(0, len(units), 2))
