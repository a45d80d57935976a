"""Texts of a graph file, made fit to stand in a picture."""

import unicodedata


def line(text: str) -> str:
    """A text on one line, without characters that reorder, hide or break it."""
    shown = "".join("\N{REPLACEMENT CHARACTER}" if _is_unsafe(c) else c for c in text[:10_000])
    return " ".join(shown.split())


def _is_unsafe(char: str) -> bool:
    if char in "\t\n\r\f\v":
        return False
    bidi = "\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
    return unicodedata.category(char) in ("Cc", "Cs", "Co", "Cn") or char in bidi
