"""Pictures of a program, from one plain-data diagram: SVG, PNG, PDF, Mermaid, DOT and HTML."""

from collections.abc import Callable

from ..program import Program
from .diagram import diagram
from .dot import dot
from .html import html
from .mermaid import mermaid
from .picture import picture
from .raster import MissingExtraError, pdf, png
from .spec import Diagram
from .svg import svg

__all__ = ["FORMATS", "Diagram", "MissingExtraError", "diagram", "render"]

FORMATS: dict[str, Callable[[Diagram], str | bytes]] = {
    ".svg": lambda shown: svg(picture(shown)),
    ".html": lambda shown: html(picture(shown)),
    ".png": lambda shown: png(svg(picture(shown))),
    ".pdf": lambda shown: pdf(svg(picture(shown))),
    ".mmd": mermaid,
    ".dot": dot,
}
"""What a file's ending asks for."""


def render(program: Program, suffix: str) -> bytes:
    """The picture of a program, as the bytes of a file with this ending (one of `FORMATS`).

    Equal programs give equal bytes.

    Raises:
        MissingExtraError: PNG or PDF, without the packages of `sysgraph[draw]`.
    """
    made = FORMATS[suffix](diagram(program))
    return made if isinstance(made, bytes) else made.encode("utf-8", "replace")
