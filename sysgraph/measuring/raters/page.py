"""The page on which outputs are compared by hand: one file, which asks for nothing from outside."""

import json
from base64 import b64encode
from collections.abc import Sequence
from hashlib import sha256
from html import escape
from pathlib import Path
from string import Template
from typing import Any

from ...traces.pictures import Picture
from ...traces.trace import Given, Trace, plain
from .base import Place

_FOLDER = Path(__file__).parent


def page(
    title: str, collection: str, places: Sequence[Place], both: Sequence[tuple[Trace, Trace]]
) -> str:
    """The page.

    Its security policy lets this very script run and nothing else, and allows no request; what
    models said is JSON that the script shows as text.

    Args:
        collection: what the answers say that they are about.
        places: the samples of each comparison by their numbers.
        both: the samples.
    """
    images: dict[str, str] = {}
    comparisons = [
        {
            "input": place.input,
            "left": place.first,
            "right": place.second,
            "inputs": {name: _given(value, images) for name, value in left.inputs.items()},
            "sides": [_side(trace, images) for trace in (left, right)],
        }
        for place, (left, right) in zip(places, both, strict=True)
    ]
    data = {"collection": collection, "comparisons": comparisons, "images": images}
    script = (_FOLDER / "page.js").read_text(encoding="utf-8")
    return Template((_FOLDER / "page.html").read_text(encoding="utf-8")).substitute(
        title=escape(title),
        data=_in_html(data),
        script=script,
        script_hash=f"sha256-{b64encode(sha256(script.encode()).digest()).decode()}",
    )


def _side(trace: Trace, images: dict[str, str]) -> list[dict[str, str]]:
    """A sample's outputs; its images are put into `images`, each once."""
    shown = []
    for name in trace.outputs:
        value = trace.values.get(name)
        if isinstance(value, Picture):
            shown.append({"name": name, "image": _kept(value, images)})
        elif value is not None:
            text = plain(value)
            shown.append({"name": name, "text": text if isinstance(text, str) else "\n".join(text)})
    return shown


def _given(value: Given, images: dict[str, str]) -> str | dict[str, str]:
    return {"image": _kept(value, images)} if isinstance(value, Picture) else value


def _kept(picture: Picture, images: dict[str, str]) -> str:
    """What names an image among `images`."""
    if picture.digest not in images:
        images[picture.digest] = f"data:image/png;base64,{b64encode(picture.png()).decode()}"
    return picture.digest


def _in_html(data: Any) -> str:
    """JSON as it may stand in a script element; ASCII, so that nothing breaks it."""
    text = json.dumps(data, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
