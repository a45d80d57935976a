"""Progress: a rich bar on a terminal, plain lines elsewhere."""

import contextlib
import sys
from collections.abc import Iterator
from time import monotonic
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from sysgraph_schemas.visible import visible, visible_lines

# Without a terminal, a line at most this often (seconds), so that a log stays readable.
_LINE_EVERY = 10.0


class Task:
    """Work of known length."""

    def __init__(self, reporter: "Reporter", name: str, total: int, done: int) -> None:
        self._reporter, self._total, self._done = reporter, total, done
        self._name = visible(name)
        self._note = ""
        self._last = monotonic()
        self._told = False
        self._bar: Progress | None = None

    def __enter__(self) -> Self:
        if self._reporter.live:
            self._bar = Progress(
                TextColumn("{task.description}", markup=False),
                BarColumn(),
                MofNCompleteColumn(),
                TimeRemainingColumn(),
                TextColumn("{task.fields[note]}", markup=False),
                console=self._reporter.console,
                transient=True,
            )
            self._id = self._bar.add_task(
                self._name, total=self._total, completed=self._done, note=""
            )
            self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()
        # What was over at once and has nothing to say does not need a line.
        if self._note or self._told:
            self._tell()

    def advance(self, count: int = 1, note: str | None = None) -> None:
        """`count` more are done; `note` is shown beside the number until the next one."""
        self._done += count
        self._note = visible(note) if note else self._note
        if self._bar is not None:
            self._bar.update(self._id, advance=count, note=self._note)
        elif self._done < self._total and monotonic() - self._last >= _LINE_EVERY:
            self._tell()

    def _tell(self) -> None:
        self._last, self._told = monotonic(), True
        note = f"  {self._note}" if self._note else ""
        self._reporter.line(f"{self._name}: {self._done}/{self._total}{note}")


class Reporter:
    """Where a run tells what it does: standard error, or nowhere (`shown=False`)."""

    def __init__(self, *, shown: bool = True) -> None:
        self.shown = shown
        self._warned: set[str] = set()
        self.console = Console(stderr=True, highlight=False)
        self.live = shown and sys.stderr.isatty() and not self.console.is_dumb_terminal

    def only_if(self, shown: bool) -> None:
        """Keeps quiet in all processes but the one that shows progress."""
        self.shown, self.live = self.shown and shown, self.live and shown

    def line(self, text: str) -> None:
        """One line of log."""
        if self.shown:
            self.console.print(visible_lines(text), markup=False, emoji=False, soft_wrap=True)

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
