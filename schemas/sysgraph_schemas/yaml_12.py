r"""Where libyaml, which scans YAML 1.1, differs from YAML 1.2, made up for without moving a place.

Two things matter to text that people and programs write: YAML 1.2 ends no line at U+0085, U+2028
or U+2029, and `"\ud83d\ude00"` is one character, as JSON writes it. Both are put into characters
that libyaml takes, as many as before, and taken back out of each value.
"""

import re
from collections.abc import Iterator

_BREAKS = "\x85\u2028\u2029"
_NO_CHARACTERS = range(0xFDD0, 0xFDF0)

_PAIR = re.compile(r"\\u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})")
_LONG = re.compile(r"\\U[0-9a-f]{8}\\0")
_PADDED = re.compile("([\U00010000-\U0010ffff])\0")

_UNPRINTABLE = re.compile(
    "[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]"  # YAML 1.2.2, 5.1
)


class Text:
    """A YAML text for libyaml to scan, of the same length as the original."""

    def __init__(self, original: str) -> None:
        self.original = original
        self._breaks = _stand_ins(original)
        scanned = original.translate({ord(k): v for k, v in self._breaks.items()})
        self.scanned, self._pairs = _PAIR.subn(_as_one, scanned)

    def unprintable(self) -> int | None:
        """Where the first character stands that may not be in YAML, if there is one."""
        found = _UNPRINTABLE.search(self.original)
        return found.start() if found else None

    def value(self, text: str, style: str | None, start: int, end: int) -> str:
        """What a scalar at `original[start:end]` says, from what libyaml says it says."""
        if not self._breaks and not self._pairs:
            return text
        for line_break, stand_in in self._breaks.items():
            text = text.replace(stand_in, line_break)
        if self._pairs and style == '"':
            return _PADDED.sub(r"\1", text)
        if self._pairs:  # an escape is one between double quotes only
            written: Iterator[str] = (m[0] for m in _PAIR.finditer(self.original, start, end))
            return _LONG.sub(lambda found: next(written, found[0]), text)
        return text


def _stand_ins(original: str) -> dict[str, str]:
    """What stands for each break of a text: no character that it holds, or spells by its number.

    A text that leaves too few of them is read as YAML 1.1.
    """
    breaks = [c for c in _BREAKS if c in original]
    if not breaks:
        return {}
    lower = original.lower()
    free = [chr(n) for n in _NO_CHARACTERS if chr(n) not in original and f"{n:x}" not in lower]
    return dict(zip(breaks, free, strict=False)) if len(free) >= len(breaks) else {}


def _as_one(pair: re.Match[str]) -> str:
    """Twelve characters for two halves: one long escape, and a NUL to take out again."""
    code = 0x10000 + ((int(pair[1], 16) - 0xD800) << 10) + int(pair[2], 16) - 0xDC00
    return f"\\U{code:08x}\\0"
