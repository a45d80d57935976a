r"""Where libyaml, which scans YAML 1.1, differs from YAML 1.2, made up for without moving a place.

Two things matter to text that people and programs write: YAML 1.2 ends no line at U+0085, U+2028
or U+2029, and `"\ud83d\ude00"` is one character, as JSON writes it. Both are put into characters
that libyaml takes, as many as before, and taken back out of each value.
"""

import re
from collections.abc import Iterator

_BREAKS = str.maketrans("\x85\u2028\u2029", "\ufdd0\ufdd1\ufdd2")  # three that are no characters
_BREAKS_BACK = {new: old for old, new in _BREAKS.items()}
_STAND_INS = re.compile("[\ufdd0-\ufdd2]")

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
        self._has_breaks = not _STAND_INS.search(original)
        self.scanned = original.translate(_BREAKS) if self._has_breaks else original
        self.scanned, self._pairs = _PAIR.subn(_as_one, self.scanned)

    def unprintable(self) -> int | None:
        """Where the first character stands that may not be in YAML, if there is one."""
        found = _UNPRINTABLE.search(self.original)
        return found.start() if found else None

    def value(self, text: str, style: str | None, start: int, end: int) -> str:
        """What a scalar at `original[start:end]` says, from what libyaml says it says."""
        if self._has_breaks:
            text = text.translate(_BREAKS_BACK)
        if self._pairs and style == '"':
            return _PADDED.sub(r"\1", text)
        if self._pairs:  # an escape is one between double quotes only
            written: Iterator[str] = (m[0] for m in _PAIR.finditer(self.original, start, end))
            return _LONG.sub(lambda found: next(written, found[0]), text)
        return text


def _as_one(pair: re.Match[str]) -> str:
    """Twelve characters for two halves: one long escape, and a NUL to take out again."""
    code = 0x10000 + ((int(pair[1], 16) - 0xD800) << 10) + int(pair[2], 16) - 0xDC00
    return f"\\U{code:08x}\\0"
