"""The text of a graph file, and spans in it."""

import re
from bisect import bisect_right
from functools import cached_property

from .diagnostics import Span

_BREAK = re.compile(r"\r\n|\r|\n")


class Source:
    """A named text. Offsets count characters from 0."""

    def __init__(self, name: str, text: str, shown: str | None = None) -> None:
        """`shown` stands in for the text in spans: `text` with what is not YAML blanked out."""
        self.name = name
        self.text = text
        self._shown = text if shown is None else shown

    @cached_property
    def _starts(self) -> list[int]:
        return [0, *(match.end() for match in _BREAK.finditer(self.text))]

    def line_of(self, offset: int) -> int:
        """The number of the offset's line, from 0."""
        return bisect_right(self._starts, offset) - 1

    def line_start(self, line: int) -> int:
        """The offset where a line begins."""
        return self._starts[line]

    def line_text(self, line: int) -> str:
        """A line without its line break; empty beyond the end."""
        if not 0 <= line < len(self._starts):
            return ""
        end = self._starts[line + 1] if line + 1 < len(self._starts) else len(self.text)
        return self._shown[self._starts[line] : end].rstrip("\r\n")

    def span(self, start: int, end: int) -> Span:
        """The span of `text[start:end]`, without white space at its end."""
        start = min(max(start, 0), len(self.text))
        body = self.text[start : max(start, end)].rstrip()
        end = start + len(body)
        first, last = self.line_of(start), self.line_of(max(start, end - 1))
        return Span(
            file=self.name,
            line=first + 1,
            column=start - self._starts[first] + 1,
            end_line=last + 1,
            end_column=end - self._starts[last] + 1,
            text=self.line_text(first),
        )
