"""The drawing in Graphviz's language."""

from collections.abc import Iterator

from .palette import COLORS, MARKS, color, mark
from .spec import Box, Drawing, Role

_SIGNS = dict(zip(MARKS, "■●◆▲", strict=True))


def dot(drawing: Drawing) -> str:
    """The drawing as DOT text."""
    return "\n".join(_lines(drawing)) + "\n"


def _lines(drawing: Drawing) -> Iterator[str]:
    heading = [drawing.title, drawing.description, drawing.note]
    yield f"digraph {_quote(drawing.title)} {{"
    yield f'  graph [label={_quote(*filter(None, heading))}, labelloc=t, fontname="Arial"]'
    yield '  node [fontname="Arial", fontsize=12, margin="0.15,0.08", shape=box]'
    yield '  edge [arrowsize=0.8, color="#57606a", fontname="Arial", fontsize=11]'
    number = {model.name: i for i, model in enumerate(drawing.models)}
    for box in drawing.boxes:
        yield f"  {box.id} [{', '.join(_attributes(box, number))}]"
    for link in drawing.links:
        label = ' [label="1:1"]' if link.paired else ""
        yield f"  {link.source} -> {link.target}{label}"
    yield "}"


def _attributes(box: Box, number: dict[str, int]) -> Iterator[str]:
    extra = " ".join(part for part in (box.badge, "(output)" if box.output else "") if part)
    models = [f"{_SIGNS[mark(number[model])]} {model}" for model in box.models]
    lines = [f"{box.title} {extra}".rstrip(), box.subtitle, "  ".join(models), box.items]
    yield f"label={_quote(*filter(None, lines))}"
    yield from _LOOKS[box.role]
    if box.output:
        yield "peripheries=2"
    if len(box.models) == 1:
        yield f'color="{COLORS[color(number[box.models[0]])]}", penwidth=2'


def _quote(*lines: str) -> str:
    """A quoted string. A backslash would begin an escape, and `&` an HTML entity."""
    safe = [_cut(text).replace("\\", "\\\\").replace('"', '\\"') for text in lines]
    return '"' + "\\n".join(text.replace("&", "&amp;") for text in safe) + '"'


def _cut(text: str, most: int = 80) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


_LOOKS: dict[Role, tuple[str, ...]] = {
    "input": ("shape=oval", 'style=filled, fillcolor="#eef1f4"'),
    "trained": ("style=rounded",),
    "frozen": ('style="rounded,dashed"',),
    "mixed": ('style="rounded,dashed"',),
    "deterministic": ("style=diagonals",),
}
