"""The SVG picture as PNG and PDF, through resvg and svg2pdf: wheels without system libraries."""

import re
from importlib import import_module
from types import ModuleType

from .measure import FONTS, is_covered

_MOST_PIXELS = 16_000.0
"""Longest side of a PNG; many viewers open no larger ones."""


class MissingExtraError(RuntimeError):
    """PNG and PDF need packages that `pip install 'sysgraph[draw]'` installs."""


def png(svg: str, zoom: float = 2.0) -> bytes:
    """The picture as PNG, `zoom` pixels per SVG pixel.

    System fonts are read only for characters that the fonts in this package lack.

    Raises:
        MissingExtraError: resvg-py is not installed.
    """
    resvg = _load("resvg_py", "PNG")
    image = resvg.svg_to_bytes(
        svg_string=svg,
        zoom=min(zoom, _MOST_PIXELS / _longest(svg)),
        font_files=[str(path) for path in FONTS],
        skip_system_fonts=is_covered(_visible(svg)),
    )
    return bytes(image)


def pdf(svg: str) -> bytes:
    """The picture as PDF. Letters are outlines: svg2pdf embeds fonts in another order every time.

    Raises:
        MissingExtraError: svg2pdf-py is not installed.
    """
    svg2pdf = _load("svg2pdf_py", "PDF")
    fonts = svg2pdf.FontDatabase()
    if not is_covered(_visible(svg)):
        fonts.load_system_fonts()
    for path in FONTS:
        fonts.load_font_file(str(path))
    options = svg2pdf.ConversionOptions(embed_text=False)
    return bytes(svg2pdf.svg_to_pdf(svg, fonts, options))


def _longest(svg: str) -> float:
    found = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', svg)
    return max(float(found[1]), float(found[2])) if found else 1.0


def _visible(svg: str) -> str:
    return "".join(re.findall(r"<text[^>]*>([^<]*)</text>", svg))


def _load(name: str, what: str) -> ModuleType:
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            f"{what} needs {name.replace('_', '-')}: pip install 'sysgraph[draw]' "
            "(SVG, HTML, Mermaid and DOT need nothing more)"
        ) from error
