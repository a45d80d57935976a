"""Progress: a display on a terminal, plain lines elsewhere."""

import contextlib
import sys
from collections.abc import Iterator
from time import monotonic
from types import TracebackType
from typing import ClassVar, Self

from rich.console import Console
from rich.progress import Progress

from sysgraph_schemas.visible import visible, visible_lines

from .screen import Screen, View, bars

# Without a terminal, a line at most this often (seconds), so that a log stays readable.
_LINE_EVERY = 10.0


class Task:
    """Work of known length."""

    def __init__(self, reporter: "Reporter", name: str, total: int, done: int) -> None:
        self._reporter, self._total, self._done = reporter, total, done
        self._name = visible(name)
        self._note = ""
        self._last = monotonic()
        self._told: int | None = None  # how far the last line said it was
        self._screen = Reporter.screen if reporter.live else None
        self._bar: Progress | None = None

    def __enter__(self) -> Self:
        if self._reporter.live:
            self._bar = self._screen.bars if self._screen else bars(self._reporter.console)
            self._id = self._bar.add_task(
                self._name, total=self._total, completed=self._done, note=""
            )
            if not self._screen:
                self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None and self._screen:
            self._bar.remove_task(self._id)
            return  # the screen has said it all
        if self._bar is not None:
            self._bar.stop()
        # What was over at once and has nothing to say does not need a line.
        if (self._note or self._told is not None) and self._told != self._done:
            self._tell()

    def advance(self, count: int = 1, note: str | None = None) -> None:
        """`count` more are done; `note` is shown beside the number until the next one."""
        first = bool(note) and not self._note
        self._done += count
        self._note = visible(note) if note else self._note
        if self._bar is not None:
            shown = "" if self._screen else self._note  # the screen shows more than that
            self._bar.update(self._id, advance=count, note=shown)
        elif self._done < self._total and (first or monotonic() - self._last >= _LINE_EVERY):
            self._tell()

    def _tell(self) -> None:
        self._last, self._told = monotonic(), self._done
        self._reporter.line(f"{self._name}: {self._done}/{self._total}{self._notes()}")

    def _notes(self) -> str:
        """What a line says besides the number: of what has notes, also how the run stands."""
        view = self._reporter.view
        several = [self._note, view.note() if view is not None else ""] if self._note else []
        return "".join(f"  {visible(text)}" for text in several if text)


class Reporter:
    """Where a run tells what it does: standard error, or nowhere (`shown=False`)."""

    screen: ClassVar[Screen | None] = None
    """The one display that is up in this process: all reporters write above it."""

    def __init__(self, *, shown: bool = True) -> None:
        self.shown = shown
        self.view: View | None = None
        """What is watched just now."""
        self._warned: set[str] = set()
        self.console = Console(stderr=True, highlight=False)
        self.live = shown and sys.stderr.isatty() and not self.console.is_dumb_terminal

    def only_if(self, shown: bool) -> None:
        """Keeps quiet in all processes but the one that shows progress."""
        self.shown, self.live = self.shown and shown, self.live and shown

    def line(self, text: str) -> None:
        """One line of log."""
        if self.shown:
            console = Reporter.screen.console if Reporter.screen else self.console
            console.print(visible_lines(text), markup=False, emoji=False, soft_wrap=True)

    def warning(self, text: str) -> None:
        """A warning, however often it is given, once."""
        if text not in self._warned:
            self._warned.add(text)
            self.line(f"warning: {text}")

    @contextlib.contextmanager
    def task(self, name: str, total: int, done: int = 0) -> Iterator[Task]:
        """Shows work of `total` steps, of which `done` are behind us."""
        with Task(self, name, total, done) as task:
            yield task

    @contextlib.contextmanager
    def watching(self, view: View) -> Iterator[None]:
        """Shows a view at the bottom of a terminal, its notes beside those of tasks elsewhere."""
        self.view = view
        try:
            if self.live and Reporter.screen is None:
                Reporter.screen = Screen(self.console, view)
                with Reporter.screen.shown():
                    yield
            else:
                yield
        finally:
            self.view = None
            if Reporter.screen is not None and Reporter.screen.view is view:
                Reporter.screen = None
