"""What a run, a trace and a study look like in a notebook."""

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from ..support.errors import InputError
from .alarms import alarms
from .facts import read_facts
from .texts import table


@dataclass(frozen=True)
class Figures:
    """Charts, each an SVG document."""

    svgs: tuple[str, ...]

    def _repr_html_(self) -> str:
        return "".join(f"<div>{svg}</div>" for svg in self.svgs)


def notebook(run: Path) -> str:
    """A run in a few lines: scores, who learned what, warnings, and where the page is."""
    try:
        facts = read_facts(run)
    except InputError as error:
        return f"<p>{escape(str(error))}</p>"
    rows = [
        [escape(name), _score(facts.result.get(name))]
        for name in ("before", "after")
        if facts.result.get(name)
    ]
    if facts.credit is not None:
        rows += [
            [f"credit of {escape(one.model)}", escape(str(one.margin))]
            for one in facts.credit.models
        ]
    said = "".join(f"<li>{escape(text)}</li>" for text in alarms(facts))
    where = f"<p>{escape(str(run))}: <code>run.report()</code>, <code>run.plot()</code></p>"
    return table(["", facts.program.name], rows) + (f"<ul>{said}</ul>" if said else "") + where


def _score(found: Mapping[str, Any] | None) -> str:
    score = (found or {}).get("score") or {}
    mean, low, high = (score.get(name) for name in ("mean", "low", "high"))
    if mean is None:
        return "–"
    return f"{mean:.3f}" + (f" [{low:.3f}, {high:.3f}]" if low is not None else "")
