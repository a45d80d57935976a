"""Diagnostics as text for people, as JSON for programs, as annotations for GitHub."""

import json
import unicodedata
from collections.abc import Iterable
from dataclasses import asdict
from typing import Literal

from .diagnostics import Diagnostic, Span, dotted
from .visible import visible, visible_json, visible_lines

Format = Literal["text", "json", "github"]

_WIDTH = 110
_MOST = 2000
_STYLES = {"error": "1;31", "warning": "1;33", "place": "1", "rule": "34", "help": "1;36"}


def render(diagnostics: Iterable[Diagnostic], format: Format = "text", color: bool = False) -> str:
    """All of them in one string, without a line break at the end.

    Args:
        diagnostics: What to print, in this order.
        format: `text`, `json` (a list of objects), or `github` (workflow commands).
        color: Whether text has terminal colours.
    """
    if format == "json":
        plain = [_plain(d) for d in diagnostics]
        return visible_json(json.dumps(plain, indent=2, ensure_ascii=False))
    if format == "github":
        return "\n".join(_annotation(d) for d in diagnostics)
    return "\n\n".join(_text(d, color) for d in diagnostics)


def _text(diagnostic: Diagnostic, color: bool) -> str:
    def paint(text: str, style: str) -> str:
        return f"\x1b[{_STYLES[style]}m{text}\x1b[0m" if color else text

    severity = diagnostic.severity
    head = paint(f"{severity}[{diagnostic.code}]", severity)
    lines = [f"{paint(_shown(diagnostic.place), 'place')}: {head}: {_shown(diagnostic.message)}"]
    spans = [diagnostic.span, *(note.span for note in diagnostic.notes)]
    width = max((len(str(span.line)) for span in spans if span), default=1)
    rule = paint("|", "rule")
    if diagnostic.span:
        lines += _excerpt(diagnostic.span, width, rule, lambda caret: paint(caret, severity))
    for note in diagnostic.notes:
        place = f" ({_shown(str(note.span))})" if note.span else ""
        lines.append(f"{' ' * width} = {paint('note', 'help')}: {_shown(note.message)}{place}")
        if note.span:
            lines += _excerpt(note.span, width, rule, lambda caret: paint(caret, "rule"))
    if diagnostic.help:
        lines.append(f"{' ' * width} = {paint('help', 'help')}: {_shown(diagnostic.help)}")
    return "\n".join(lines)


def _shown(text: str) -> str:
    """On one line; both ends of what no one would read to the end."""
    half = _MOST // 2
    return visible(text if len(text) <= _MOST else f"{text[:half]} … {text[-half:]}")


def _excerpt(span: Span, width: int, rule: str, paint: "object") -> list[str]:
    """The line with a caret range under what the span means."""
    if not span.text or (span.file == span.text and span.column == span.end_column):
        return []
    end = span.end_column if span.end_line == span.line else len(span.text) + 1
    before, marked, after = _cut(span.text, span.column - 1, max(end - 1, span.column - 1))
    shown = visible(before), visible(marked), visible(after)
    carets = "^" + "~" * (_columns(shown[1]) - 1)
    assert callable(paint)
    number = "" if span.file == span.text else str(span.line)
    return [
        f"{number:>{width}} {rule} {''.join(shown)}".rstrip(),
        f"{' ' * width} {rule} {' ' * _columns(shown[0])}{paint(carets)}",
    ]


def _cut(line: str, start: int, end: int) -> tuple[str, str, str]:
    """Before, within and after the span; long lines lose what is far from it."""
    before, marked, after = line[:start], line[start:end], line[end:]
    if len(line) <= _WIDTH:
        return before, marked, after
    if len(marked) > _WIDTH // 2:
        marked = marked[: _WIDTH // 2] + "…"
        after = ""
    room = _WIDTH - len(marked)
    if len(before) > room // 2:
        before = "…" + before[-(room // 2) :]
    if len(after) > room - len(before):
        after = after[: max(room - len(before), 0)] + "…"
    return before, marked, after


def _columns(text: str) -> int:
    """How many cells of a terminal the text takes."""
    cells = 0
    for char in text:
        if not unicodedata.combining(char):
            cells += 2 if unicodedata.east_asian_width(char) in "WF" else 1
    return cells


def _plain(diagnostic: Diagnostic) -> dict[str, object]:
    span = asdict(diagnostic.span) if diagnostic.span else {}
    span.pop("text", None)
    notes = [
        {"message": note.message, **(asdict(note.span) if note.span else {})}
        for note in diagnostic.notes
    ]
    for note in notes:
        note.pop("text", None)
    return {
        "code": diagnostic.code,
        "severity": diagnostic.severity,
        "message": diagnostic.message,
        "help": diagnostic.help,
        "path": dotted(diagnostic.path),
        **span,
        "notes": notes,
    }


def _annotation(diagnostic: Diagnostic) -> str:
    """A workflow command: https://docs.github.com/actions/reference/workflow-commands."""
    fields = {"title": diagnostic.code}
    if span := diagnostic.span:
        fields |= {
            "file": span.file,
            "line": str(span.line),
            "endLine": str(span.end_line),
            "col": str(span.column),
            "endColumn": str(span.end_column),
        }
    body = diagnostic.message + (f"\nhelp: {diagnostic.help}" if diagnostic.help else "")
    listed = ",".join(f"{key}={_property(value)}" for key, value in fields.items())
    return f"::{diagnostic.severity} {listed}::{_data(body)}"


def _data(text: str) -> str:
    return visible_lines(text.replace("\r", "\n")).replace("%", "%25").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
