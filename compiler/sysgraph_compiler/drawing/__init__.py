"""Pictures of a program, from one plain-data drawing: SVG, PNG, PDF, Mermaid, DOT and HTML."""

from collections.abc import Callable

from ..program import Program
from .build import draw
from .dot import dot
from .html import html
from .mermaid import mermaid
from .picture import picture
from .raster import MissingExtraError, pdf, png
from .spec import Drawing
from .svg import svg

__all__ = ["FORMATS", "Drawing", "MissingExtraError", "draw", "drawn"]

FORMATS: dict[str, Callable[[Drawing], str | bytes]] = {
    ".svg": lambda drawing: svg(picture(drawing)),
    ".html": lambda drawing: html(picture(drawing)),
    ".png": lambda drawing: png(svg(picture(drawing))),
    ".pdf": lambda drawing: pdf(svg(picture(drawing))),
    ".mmd": mermaid,
    ".dot": dot,
}
"""What a file's ending asks for."""


def drawn(program: Program, suffix: str) -> bytes:
    """The picture of a program, as the bytes of a file with this ending (one of `FORMATS`).

    Equal programs give equal bytes.

    Raises:
        MissingExtraError: PNG or PDF, without the packages of `sysgraph[draw]`.
    """
    made = FORMATS[suffix](draw(program))
    return made if isinstance(made, bytes) else made.encode("utf-8", "replace")
