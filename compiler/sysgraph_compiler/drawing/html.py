"""The picture as one HTML page that needs nothing else: pan, zoom, and every node's details."""

import json
from base64 import b64encode
from dataclasses import asdict
from hashlib import sha256
from html import escape
from pathlib import Path
from string import Template

from .picture import Picture
from .svg import svg

_FOLDER = Path(__file__).parent


def html(picture: Picture) -> str:
    """The page.

    Its security policy lets this very script run and nothing else, and allows no request; the
    program's texts are JSON that the script shows as text.
    """
    script = (_FOLDER / "page.js").read_text(encoding="utf-8")
    return Template((_FOLDER / "page.html").read_text(encoding="utf-8")).substitute(
        title=escape(picture.diagram.title),
        svg=svg(picture),
        data=_data(picture),
        script=script,
        script_hash=f"sha256-{b64encode(sha256(script.encode()).digest()).decode()}",
    )


def _data(picture: Picture) -> str:
    diagram = picture.diagram
    frames = [
        {"id": frame.id, "title": frame.title, "label": f"{frame.title}, a part"}
        | {"nodes": frame.nodes}
        for frame in diagram.frames
    ]
    boxes = [
        {"id": box.id, "title": box.full_title, "label": f"{box.full_title}, {box.subtitle}"}
        | {"nodes": box.nodes}
        for box in diagram.boxes
    ]
    data = {
        "boxes": [*frames, *boxes],
        "nodes": [asdict(node) for node in diagram.nodes],
        "models": {model.name: model.what for model in diagram.models},
    }
    text = json.dumps(data, separators=(",", ":"))  # ASCII: nothing that only some parsers break at
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
