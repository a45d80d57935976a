"""A contact sheet of a study: for some inputs, what each row's system draws, as one PNG."""

import io
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from sysgraph_compiler import Program

from ..measuring.samples import Scored
from ..support.files import write_bytes
from ..support.seeding import derive
from ..traces.course import context
from ..traces.pictures import Picture
from ..traces.trace import Trace, plain
from ..training.batches import shuffled
from .bench import Bench
from .folder import SHEET

_INPUTS = 4
_COLUMNS = 2
_SIDE = 160
"""The longer side of a picture as shown."""
_FEWEST = 3
"""Pictures that a panel has room for, so that short answers leave room for the title."""
_MARGIN, _BETWEEN, _GAP, _LABEL = 36, 56, 10, 132
"""Around the sheet, between panels, between pictures, and the width of the rows' names."""
_INK, _DIM, _PAPER = "#1b1f24", "#57606a", "#ffffff"
_HEADING, _TITLE, _TEXT = 22, 18, 14
_LEADING = 1.35
"""Height of a line of text, in multiples of its size."""


@dataclass(frozen=True)
class Strip:
    """One answer: whose it is, what is said of it, and each picture with its caption.

    `text` is what was written instead, where there are no pictures.
    """

    name: str
    note: str
    text: str
    pictures: tuple[tuple[Picture, str], ...]


@dataclass(frozen=True)
class Panel:
    """One input, and the answers to it."""

    title: str
    strips: tuple[Strip, ...]


def write_contact_sheet(bench: Bench, rows: Mapping[str, Sequence[Path]]) -> None:
    """Writes `contact-sheet.png` for a few held-out inputs, which chance alone picks.

    The answers are those that were measured with the first seed.

    Args:
        rows: the runs whose models each row's system has; none for the untrained one.
    """
    places = sorted(shuffled(len(bench.inputs), derive("contact sheet"))[:_INPUTS])
    rows_answers = {
        name: bench.answers(0, trained=runs, only=places) for name, runs in rows.items()
    }
    panels = [
        Panel(
            " / ".join(str(plain(given)) for given in several[0].trace.inputs.values()),
            tuple(
                _strip(bench, name, answer)
                for name, answer in zip(rows_answers, several, strict=True)
            ),
        )
        for several in zip(*rows_answers.values(), strict=True)
    ]
    heading = f"{bench.graph.name}: {len(places)} of {len(bench.inputs)} held-out inputs"
    write_bytes(bench.root / SHEET, contact_sheet(panels, heading))


def _strip(bench: Bench, name: str, answer: Scored) -> Strip:
    trace = answer.trace
    if trace.failed:
        return Strip(name, trace.stopped or "a parser or tool rejected", _texts(bench, trace), ())
    if trace.abstains:
        heading = f"abstained, {bench.scorer.name} {answer.score:.2f}"
        return Strip(name, heading, _texts(bench, trace), ())
    pictures = []
    for output in trace.outputs:
        picture = trace.values.get(output)
        if isinstance(picture, Picture):
            pictures.append((picture, _caption(bench.program, output, trace)))
    return Strip(name, f"{bench.scorer.name} {answer.score:.2f}", "", tuple(pictures))


def _caption(program: Program, output: str, trace: Trace) -> str:
    """What an image was drawn from; of one that was selected, by whatever it was."""
    variable = program.variable(output)
    while variable.selects:
        variable = program.variable(next(p for p in variable.reads if p not in trace.nonexistent))
    return "" if variable.is_given else str(context(variable, trace))


def _texts(bench: Bench, trace: Trace) -> str:
    """What the system wrote before a parser or tool rejected it."""
    program = bench.program
    texts = {v.name for v in program.variables if v.type == "text" and not v.is_given}
    written = (texts - program.deterministic) & trace.values.keys()
    return " / ".join(str(trace[name]) for name in trace.values if name in written)


# ---- drawing


def contact_sheet(panels: Sequence[Panel], heading: str) -> bytes:
    """The sheet, a PNG: panels in two columns, strips under each other, captions under pictures.

    Small pictures are enlarged by repeating their pixels. Every text is there in full, on as many
    lines as it takes.
    """
    drawn = [_panel(panel) for panel in panels]
    rows = [drawn[start : start + _COLUMNS] for start in range(0, len(drawn), _COLUMNS)]
    blocks = [_text(heading, _HEADING, _INK), *(_beside(row, _BETWEEN) for row in rows)]
    content = _stacked(blocks, _BETWEEN // 2)
    size = (content.width + 2 * _MARGIN, content.height + 2 * _MARGIN)
    sheet = Image.new("RGB", size, _PAPER)
    sheet.paste(content, (_MARGIN, _MARGIN))
    png = io.BytesIO()
    sheet.save(png, "PNG")
    return png.getvalue()


def _panel(panel: Panel) -> Image.Image:
    most = max((len(strip.pictures) for strip in panel.strips), default=0)
    width = _LABEL + max(most, _FEWEST) * (_SIDE + _GAP)
    strips = [_strip_image(strip, width) for strip in panel.strips]
    return _stacked([_text(panel.title, _TITLE, _INK, width), *strips], _GAP)


def _strip_image(strip: Strip, width: int) -> Image.Image:
    inside = _LABEL - _GAP
    lines = [_text(strip.name, _TEXT, _INK, inside), _text(strip.note, _TEXT, _DIM, inside)]
    label = _padded(_stacked(lines, 0), inside)
    if not strip.pictures:
        return _beside([label, _text(strip.text, _TEXT, _DIM, width - _LABEL)], _GAP)
    captioned = [
        _stacked([_shown(picture), _text(caption, _TEXT, _DIM, _SIDE)], _GAP // 2)
        for picture, caption in strip.pictures
    ]
    return _beside([label, *(_padded(image, _SIDE) for image in captioned)], _GAP)


def _shown(picture: Picture) -> Image.Image:
    image = picture.open()
    scale = _SIDE / max(image.size)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    how = Image.Resampling.NEAREST if scale > 1 else Image.Resampling.LANCZOS
    return image.resize(size, how)


def _text(text: str, size: int, color: str, width: int | None = None) -> Image.Image:
    """A text on as many lines as it takes, at most `width` pixels wide."""
    font = ImageFont.load_default(size)
    lines = text.split("\n") if width is None else list(wrapped(text, font, width))
    line_height = round(size * _LEADING)
    widest = max(font.getlength(line) for line in lines)
    image = Image.new("RGB", (math.ceil(widest) + 1, line_height * len(lines)), _PAPER)
    draw = ImageDraw.Draw(image)
    for i, line in enumerate(lines):
        draw.text((0, i * line_height), line, fill=color, font=font)
    return image


def wrapped(
    text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int
) -> Iterator[str]:
    """The lines of a text, at most `width` pixels wide: a word that is wider is broken too."""
    for paragraph in text.split("\n"):
        line = ""
        for word in paragraph.split():
            joined = f"{line} {word}" if line else word
            if line and font.getlength(joined) > width:
                yield line
                joined = word
            while font.getlength(joined) > width and len(joined) > 1:
                fits = len(joined) - 1
                while fits > 1 and font.getlength(joined[:fits]) > width:
                    fits -= 1
                yield joined[:fits]
                joined = joined[fits:]
            line = joined
        yield line


def _beside(images: Sequence[Image.Image], gap: int) -> Image.Image:
    width = sum(image.width for image in images) + gap * (len(images) - 1)
    out = Image.new("RGB", (width, max(image.height for image in images)), _PAPER)
    left = 0
    for image in images:
        out.paste(image, (left, 0))
        left += image.width + gap
    return out


def _stacked(images: Sequence[Image.Image], gap: int) -> Image.Image:
    height = sum(image.height for image in images) + gap * (len(images) - 1)
    out = Image.new("RGB", (max(image.width for image in images), height), _PAPER)
    top = 0
    for image in images:
        out.paste(image, (0, top))
        top += image.height + gap
    return out


def _padded(image: Image.Image, width: int) -> Image.Image:
    """The image with paper on its right, so that what stands beside it is aligned."""
    out = Image.new("RGB", (max(width, image.width), image.height), _PAPER)
    out.paste(image, (0, 0))
    return out
