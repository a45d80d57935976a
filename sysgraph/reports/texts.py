"""Values of nodes as HTML: texts with their differences marked, images as strips."""

import base64
import difflib
import io
import json
import re
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

CHARACTERS = 1200
"""Of a text that are shown."""
_WORDS = 400
"""Most words on a side that are compared; longer texts are shown unmarked."""
_EMPTY = '<span class="none">empty</span>'
_SIDE = 160
"""Pixels of an image's longer side."""


def shortened(text: str) -> str:
    """The text's beginning, and how much was left out."""
    left = len(text) - CHARACTERS
    return text if left <= 0 else f"{text[:CHARACTERS]} … ({left:,} more characters)"


def compared(before: str, after: str) -> tuple[str, str]:
    """Both texts as HTML: what only one has is marked."""
    before, after = shortened(before), shortened(after)
    a, b = (re.findall(r"\s+|[^\s]+", text) for text in (before, after))
    if before == after or max(len(a), len(b)) > _WORDS:
        return escape(before), escape(after)
    found = difflib.SequenceMatcher(None, a, b, autojunk=False).get_opcodes()
    left, right = "", ""
    for what, i, j, k, m in found:
        old, new = escape("".join(a[i:j])), escape("".join(b[k:m]))
        left += old if what == "equal" or not old else f"<del>{old}</del>"
        right += new if what == "equal" or not new else f"<ins>{new}</ins>"
    return left, right


def value(content: Any, images: Path | None) -> str:
    """One value as HTML.

    Args:
        images: of an image, the folder that its path is relative to; None: it is a text.
    """
    if content is None:
        return '<span class="none">none</span>'
    if isinstance(content, list):
        parts = [value(one, images) for one in content]
        if images is not None:
            return f'<span class="strip">{"".join(parts)}</span>'
        return f"<ol>{''.join(f'<li>{part}</li>' for part in parts)}</ol>"
    if images is not None:
        return image(images / str(content))
    return escape(shortened(_text(content))) or _EMPTY


def both(before: Any, after: Any, images: tuple[Path, Path] | None) -> tuple[str, str]:
    """A value before and after as HTML."""
    if images is not None:
        return value(before, images[0]), value(after, images[1])
    if not {type(before), type(after)} & {list, type(None)}:
        before, after = _text(before), _text(after)
        left, right = compared(before, after)
        return left or _EMPTY, right or _EMPTY
    if isinstance(before, list) and isinstance(after, list):
        size = max(len(before), len(after))
        sides = [[*one, *[None] * (size - len(one))] for one in (before, after)]
        pairs = [both(a, b, None) for a, b in zip(*sides, strict=True)]
        left, right = (f"<ol>{''.join(f'<li>{p[s]}</li>' for p in pairs)}</ol>" for s in (0, 1))
        return left, right
    return value(before, None), value(after, None)


def _text(content: Any) -> str:
    """A single value as text; a record has a line for each of its fields."""
    if isinstance(content, dict):
        return "\n".join(f"{name}: {_text(part)}" for name, part in content.items())
    return content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)


def image(file: Path) -> str:
    """An image as HTML, small and within the page."""
    name = escape(file.name)
    try:
        content = _small(file)
    except (OSError, ValueError, ImportError):
        return f'<span class="none">image {name}: not there</span>'
    data = base64.b64encode(content).decode()
    return f'<img alt="{name}" src="data:image/png;base64,{data}">'


def _small(file: Path) -> bytes:
    from PIL import Image

    with Image.open(file) as found:
        picture = found.convert("RGB")
    scale = _SIDE / max(picture.size)
    if scale < 1:
        picture.thumbnail((_SIDE, _SIDE))
    out = io.BytesIO()
    picture.save(out, "PNG", optimize=True)
    return out.getvalue()


def table(head: Sequence[str], rows: Sequence[Sequence[str]], caption: str = "") -> str:
    """A table of HTML cells; the first column names the rows."""
    said = f"<caption>{escape(caption)}</caption>" if caption else ""
    top = "".join(f'<th scope="col">{escape(name)}</th>' for name in head)
    body = "".join(
        "<tr>" + f'<th scope="row">{row[0]}</th>' + "".join(f"<td>{c}</td>" for c in row[1:])
        + "</tr>"
        for row in rows
    )  # fmt: skip
    name = escape(caption or next(filter(None, head), "table"))
    return (
        f'<div class="wide" tabindex="0" role="region" aria-label="{name}">'
        f"<table>{said}<thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>"
    )
