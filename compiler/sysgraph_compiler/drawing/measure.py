"""How wide a text is: read from the very fonts that draw it into PNG and PDF.

Arimo has the widths of Arial, Helvetica and Liberation Sans, so an SVG looks the same in browsers
without the font in the file. `fonts/` holds Arimo's Latin, Greek and Cyrillic, without kerning: a
text is as wide as its characters together.
"""

import struct
import unicodedata
from dataclasses import dataclass
from functools import cache
from pathlib import Path

FONTS = (
    Path(__file__).parent / "fonts" / "Arimo-Regular.ttf",
    Path(__file__).parent / "fonts" / "Arimo-Bold.ttf",
)
FAMILY = "Arimo, 'Liberation Sans', Arial, Helvetica, sans-serif"

_ELLIPSIS = "…"


@dataclass(frozen=True)
class _Font:
    advances: dict[str, float]
    """Widths in em."""

    def width(self, text: str) -> float:
        return sum(self.advances.get(c) or _unknown(c) for c in text)


def width(text: str, size: float, bold: bool = False) -> float:
    """Width of a line of text, in the unit of `size`."""
    return _font(FONTS[bold]).width(text) * size


def is_covered(text: str) -> bool:
    """Whether the fonts have every character."""
    known = _font(FONTS[0]).advances
    return all(c in known for c in text)


def elide(text: str, size: float, limit: float, bold: bool = False, middle: bool = False) -> str:
    """The text, cut at its end (or in its middle) so that it is at most `limit` wide."""
    if len(text) < 2_000 and width(text, size, bold) <= limit:
        return text
    least, most = 0, min(len(text) - 1, 2_000)
    while least < most:
        keep = (least + most + 1) // 2
        if width(_cut(text, keep, middle), size, bold) <= limit:
            least = keep
        else:
            most = keep - 1
    return _cut(text, least, middle)


def wrap(words: list[str], gap: float, limit: float, lengths: list[float]) -> list[list[int]]:
    """Indices of `words` in rows at most `limit` wide; a word that is too wide has its own row."""
    rows: list[list[int]] = []
    used = 0.0
    for index in range(len(words)):
        if rows and used + gap + lengths[index] <= limit:
            rows[-1].append(index)
            used += gap + lengths[index]
        else:
            rows.append([index])
            used = lengths[index]
    return rows


def _cut(text: str, keep: int, middle: bool) -> str:
    tail = keep // 2 if middle else 0
    head = text[: keep - tail].rstrip()
    return head + _ELLIPSIS + (text[-tail:].lstrip() if tail else "")


def _unknown(char: str) -> float:
    """A generous guess: another font draws this character."""
    if unicodedata.category(char) in ("Mn", "Me", "Cf"):
        return 0.0
    return 1.05 if unicodedata.east_asian_width(char) in "WF" else 0.85


@cache
def _font(path: Path) -> _Font:
    """Reads the tables `cmap` (character to glyph, format 4) and `hmtx` (glyph to width)."""
    data = path.read_bytes()
    tables = {}
    for i in range(struct.unpack_from(">H", data, 4)[0]):
        tag, _, offset, _ = struct.unpack_from(">4sIII", data, 12 + 16 * i)
        tables[tag] = offset
    (unit,) = struct.unpack_from(">H", data, tables[b"head"] + 18)
    (metrics,) = struct.unpack_from(">H", data, tables[b"hhea"] + 34)
    glyphs = _glyphs(data, tables[b"cmap"])
    hmtx = tables[b"hmtx"]
    return _Font(
        {
            chr(code): struct.unpack_from(">H", data, hmtx + 4 * min(glyph, metrics - 1))[0] / unit
            for code, glyph in glyphs.items()
        }
    )


def _glyphs(data: bytes, cmap: int) -> dict[int, int]:
    (start,) = struct.unpack_from(">I", data, cmap + 8)
    table = cmap + start
    kind, _, _, doubled = struct.unpack_from(">4H", data, table)
    if kind != 4:
        raise ValueError(f"cmap format {kind}: the fonts that ship have format 4")
    count = doubled // 2
    at = table + 14
    ends = struct.unpack_from(f">{count}H", data, at)
    starts = struct.unpack_from(f">{count}H", data, at + doubled + 2)
    deltas = struct.unpack_from(f">{count}H", data, at + 2 * doubled + 2)
    offsets_at = at + 3 * doubled + 2
    offsets = struct.unpack_from(f">{count}H", data, offsets_at)
    found: dict[int, int] = {}
    for i in range(count):
        for code in range(starts[i], min(ends[i], 0xFFFE) + 1):
            glyph = code
            if offsets[i]:
                place = offsets_at + 2 * i + offsets[i] + 2 * (code - starts[i])
                (glyph,) = struct.unpack_from(">H", data, place)
            found[code] = (glyph + deltas[i]) & 0xFFFF
    return found
