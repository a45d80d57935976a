"""What is wrong with a graph, where, and what would be right: plain data, printed by `render`."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning"]
Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Span:
    """A range of characters in a file.

    Lines and columns count from 1, columns in characters; the end is exclusive. `text` is the
    first line of the range, so a span can be printed without its file.
    """

    file: str
    line: int
    column: int
    end_line: int
    end_column: int
    text: str

    def __str__(self) -> str:
        """`file:line:column`; an argument of the command line stands for itself."""
        return self.file if self.file == self.text else f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Code:
    """One kind of problem: what it means, and a graph file before and after it is mended."""

    id: str
    title: str
    meaning: str
    wrong: str
    right: str
    severity: Severity = "error"


@dataclass(frozen=True, slots=True)
class Note:
    """A second place that belongs to a problem."""

    message: str
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One problem. `path` says where in the graph; `span` where in the file, if there is one."""

    code: str
    severity: Severity
    message: str
    path: Path = ()
    span: Span | None = None
    help: str | None = None
    notes: tuple[Note, ...] = ()

    @property
    def place(self) -> str:
        """`file:line:column`, or the path in the graph (`nodes.draft.prompt`) without a file."""
        return str(self.span) if self.span else dotted(self.path) or "graph"


def dotted(path: Path) -> str:
    """The path as a user writes it: `nodes.draft.prompt`, `edges[2]`."""
    steps = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return "".join(steps).removeprefix(".")


def problem(
    code: Code,
    message: str,
    *,
    path: Path = (),
    span: Span | None = None,
    help: str | None = None,
    notes: tuple[Note, ...] = (),
) -> Diagnostic:
    """A diagnostic with the code's own severity."""
    return Diagnostic(code.id, code.severity, message, path, span, help, notes)


def in_order(diagnostics: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    """Without repetitions, sorted by place; files, and what is in no file, in the given order."""
    unique = dict.fromkeys(diagnostics)
    files: dict[str | None, int] = {}
    for diagnostic in unique:
        files.setdefault(diagnostic.span.file if diagnostic.span else None, len(files))

    def key(diagnostic: Diagnostic) -> tuple[int, int, int]:
        span = diagnostic.span
        return (files[span.file], span.line, span.column) if span else (files[None], 0, 0)

    return tuple(sorted(unique, key=key))


class GraphError(ValueError):
    """A graph has errors. `diagnostics` holds every problem found, warnings too."""

    def __init__(self, diagnostics: Iterable[Diagnostic]) -> None:
        self.diagnostics: tuple[Diagnostic, ...] = tuple(diagnostics)
        super().__init__(self.diagnostics)

    def __str__(self) -> str:
        from .renderer import render

        return render(self.diagnostics)


def has_errors(diagnostics: Iterable[Diagnostic]) -> bool:
    """Whether any of them is more than a warning."""
    return any(diagnostic.severity == "error" for diagnostic in diagnostics)
