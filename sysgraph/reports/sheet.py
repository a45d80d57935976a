"""One self-contained page: it opens from a disk, asks for nothing, runs its own script alone."""

import json
from base64 import b64encode
from collections.abc import Mapping
from hashlib import sha256
from html import escape
from pathlib import Path
from string import Template
from typing import Any

_FOLDER = Path(__file__).parent


def sheet(title: str, body: str, data: Mapping[str, Any]) -> str:
    """The page.

    Args:
        body: HTML, in which every text of others is escaped.
        data: what `sheet.js` shows: `page`, and for a graph over time `boxes` and `moments`.
    """
    script = (_FOLDER / "sheet.js").read_text(encoding="utf-8")
    text = json.dumps(data, separators=(",", ":"))  # ASCII: no parser breaks at it
    return Template((_FOLDER / "sheet.html").read_text(encoding="utf-8")).substitute(
        title=escape(title),
        body=body.encode("utf-8", "replace").decode(),
        data=text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"),
        script=script,
        script_hash=f"sha256-{b64encode(sha256(script.encode()).digest()).decode()}",
    )
