"""What a terminal shows while a run lasts: one display at the bottom, lines of log above it."""

import contextlib
import logging
import sys
from collections.abc import Iterator
from typing import Protocol, TextIO

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)

_PER_SECOND = 4
_WIDEST = 100
"""Columns at most: where a terminal gets narrower, what is short is not wrapped."""
_BAR_WIDTH = 60
"""Columns from which on there is room for a bar."""


class View(Protocol):
    """What is shown of a run that lasts."""

    def frame(self, width: int, height: int, *, last: bool) -> RenderableType:
        """At most `height` lines of at most `width` columns; `last`: these will stay."""
        ...

    def note(self) -> str:
        """What a line of log says of how the run stands."""
        ...


class Screen:
    """A view and the bars of what is under way, drawn anew a few times a second by a thread."""

    def __init__(self, console: Console, view: View) -> None:
        self.console, self.view = console, view
        self.bars = bars(console)
        self._last = False
        self._live = Live(
            console=console,
            get_renderable=self._frame,
            refresh_per_second=_PER_SECOND,
            redirect_stdout=sys.stdout.isatty(),  # what is piped elsewhere stays out of here
        )

    @contextlib.contextmanager
    def shown(self) -> Iterator[None]:
        """Shows it until the end, whatever ends it; the last frame stays."""
        own = sys.stderr
        with self._live, _logs_through(own, sys.stderr):
            try:
                yield
            finally:
                self._last = True

    def refresh(self) -> None:
        """Draws it now."""
        self._live.refresh()

    def _frame(self) -> RenderableType:
        width = min(self.console.width, _WIDEST)
        height = self.console.height - 1  # a full one would scroll
        under_way = [] if self._last else self.bars.tasks[-2:]
        above = self.view.frame(width, height - len(under_way), last=self._last)
        if not under_way:
            return above
        return Group(above, self.bars.make_tasks_table(under_way))


def bars(console: Console) -> Progress:
    """A line for each task: its name, a bar where there is room, the number, time left, a note."""
    wide = console.width >= _BAR_WIDTH
    columns: list[ProgressColumn] = [
        TextColumn("{task.description}", markup=False),
        *([BarColumn()] if wide else []),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}", markup=False),
    ]
    return Progress(*columns, console=console, transient=True)


@contextlib.contextmanager
def _logs_through(before: TextIO, now: TextIO) -> Iterator[None]:
    """Lets loggers that write to the stream `before` write to `now`, which knows of the display."""
    names = [name for name in logging.root.manager.loggerDict if isinstance(name, str)]
    found = [
        handler
        for logger in (logging.root, *map(logging.getLogger, names))
        for handler in logger.handlers
        if isinstance(handler, logging.StreamHandler) and handler.stream is before
    ]
    for handler in found:
        handler.setStream(now)
    try:
        yield
    finally:
        for handler in found:
            handler.setStream(before)
