"""`sysgraph compare`: the page of two systems' answers to the same inputs."""

from collections.abc import Sequence
from html import escape
from pathlib import Path

from sysgraph_compiler import Program

from . import examples
from .facts import Line
from .sheet import sheet
from .texts import table


def side_by_side(
    program: Program,
    names: tuple[str, str],
    rows: Sequence[Sequence[str]],
    answers: tuple[Sequence[Line], Sequence[Line]],
    folder: Path,
) -> str:
    """The page.

    Args:
        names: of the two, the first compared with the second.
        rows: a table of what was measured: a name, then a text for each of the two.
        answers: rows as `Record.answers` writes them.
        folder: where their images lie.
    """
    title = f"{names[0]} and {names[1]}"
    cells = [[escape(cell) for cell in row] for row in rows]
    second, first = answers[1], answers[0]
    shown = examples.answers(
        program, (second, first), (folder, folder), (names[1], names[0]), len(first)
    )
    body = (
        f"<header><h1>{escape(title)}</h1><p class='dim'>{escape(program.name)}</p></header><main>"
        f"{table(['', *names], cells)}<h2>Answers</h2>{shown}</main>"
    )
    return sheet(title, body, {"page": examples.PAGE})
