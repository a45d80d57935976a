"""Answers side by side, and the pairs that a system gets most wrong, as parts of a page."""

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from sysgraph_compiler import Program

from .facts import Facts, Line
from .texts import both, image, shortened

_MOST, _MOST_WITH_IMAGES = 100, 24
PAGE = 10
"""Examples that are shown at once."""
_BUDGET = 2_000_000
"""Characters of examples on a page."""


def answers(
    program: Program,
    sides: tuple[Sequence[Line], Sequence[Line]],
    folders: tuple[Path, Path],
    names: tuple[str, str],
    total: int,
) -> str:
    """Two systems' answers to the same inputs, those first whose score changed most.

    Args:
        sides: rows as `Record.answers` writes them, in one order of inputs.
        folders: where their images lie.
        names: what to call the two.
        total: how many answers there were.
    """
    pairs = list(zip(*sides, strict=False))
    if not pairs:
        return ""
    order = sorted(range(len(pairs)), key=lambda i: -abs(_change(pairs[i])))
    pictures = images_of(program)
    most = _MOST_WITH_IMAGES if pictures else _MOST
    parts: list[str] = []
    for i in order[:most]:
        parts.append(_answer(i, pairs[i], folders, names, pictures))
        if sum(map(len, parts)) > _BUDGET:
            break
    said = f"{len(parts)} of {total:,} answers" if len(parts) < total else f"{total:,} answers"
    which = "those first whose score changed most"
    if len(pairs) < total:
        which += f", of the first {len(pairs):,}"
    return _paged("answers", f"{said}, {which}", parts)


def wrong(facts: Facts) -> str:
    """The pairs with the lowest margins, with each node's share."""
    if not facts.wrong:
        return ""
    folder, pictures = facts.root / "record" / "credit", images_of(facts.program)
    parts = []
    for row in facts.wrong:
        rows = [
            (node, *both(row["chosen"].get(node), row["rejected"].get(node),
                         (folder, folder) if node in pictures else None))
            for node in row["chosen"]
        ]  # fmt: skip
        shares = ", ".join(f"{name} {share:+.3f}" for name, share in row["shares"].items())
        head = f"margin {row['margin']:+.3f} <small>({escape(shares)})</small>"
        asked = _asked(row["inputs"], folder, pictures)
        parts.append(_card(head, asked, ("chosen", "rejected"), rows))
        if sum(map(len, parts)) > _BUDGET:
            break
    return _paged("wrong", f"{len(parts)} pairs with the lowest margins", parts)


def images_of(program: Program) -> frozenset[str]:
    """The nodes whose values are images."""
    return frozenset(v.node for v in program.variables if v.type == "image")


def _answer(
    number: int,
    pair: tuple[Line, Line],
    folders: tuple[Path, Path],
    names: tuple[str, str],
    pictures: frozenset[str],
) -> str:
    before, after = pair
    rows = [
        (node, *both(before["values"].get(node), after["values"].get(node),
                     folders if node in pictures else None))
        for node in after["values"]
    ]  # fmt: skip
    scores = f"score {_score(before)} → {_score(after)}" if "score" in after else ""
    sign = "better" if _change(pair) > 0 else "worse" if _change(pair) < 0 else "as good"
    head = f'input {number + 1}: {scores} <small class="{sign.split()[0]}">{sign}</small>'
    return _card(head, _asked(after["inputs"], folders[1], pictures), names, rows)


def _asked(inputs: Mapping[str, Any], folder: Path, pictures: frozenset[str]) -> str:
    """The inputs; images lie in `folder`."""
    shown = {
        name: image(folder / str(given)) if name in pictures else escape(shortened(str(given)))
        for name, given in inputs.items()
    }
    return "".join(f"<p><b>{escape(name)}</b> {each}</p>" for name, each in shown.items())


def _card(head: str, asked: str, names: tuple[str, str], rows: Sequence[tuple[str, ...]]) -> str:
    body = "".join(
        f'<tr><th scope="row">{escape(node)}</th><td>{left}</td><td>{right}</td></tr>'
        for node, left, right in rows
    )
    return (
        f"<article><h3>{head}</h3>{asked}"
        f'<div class="wide" tabindex="0" role="region" aria-label="values"><table class="sides">'
        f'<thead><tr><th scope="col">node</th><th scope="col">{escape(names[0])}</th>'
        f'<th scope="col">{escape(names[1])}</th></tr></thead><tbody>{body}</tbody></table></div>'
        "</article>"
    )


def _paged(id: str, words: str, parts: Sequence[str]) -> str:
    """Cards of which a script shows a few at a time; without one, and in print, all are there."""
    return f'<p>{escape(words)}.</p><div class="paged" id="{id}">{"".join(parts)}</div>'


def _change(pair: tuple[Line, Line]) -> float:
    before, after = (_as_number(row) for row in pair)
    return after - before


def _as_number(row: Line) -> float:
    """A failed answer's is below all others."""
    return -1e9 if row.get("score") is None else float(row["score"])


def _score(row: Line) -> str:
    return "failed" if row.get("score") is None else f"{row['score']:.3g}"
