"""What a command says when it cannot go on, and the exit code that it ends with."""

import errno
import io
import sys
import tempfile
import traceback

import typer

from sysgraph_schemas import GraphError, render

from ..support.errors import InputError, RunError
from .terminal import give_up, has_colors, show, tell

_NO_PATHS = (errno.ENAMETOOLONG, errno.ELOOP, errno.EILSEQ)
"""A path that cannot be looked up, let alone written, wherever it was given."""
_UsageError = typer.BadParameter.__mro__[1]
"""Arguments that typer refuses; it gives the class no name of its own."""


def last_words(error: Exception) -> int:
    """Tells what went wrong, on standard error; the exit code.

    1: the run failed; 2: the input is wrong. What no command foresaw is a mistake in sysgraph: it
    is told in a line, and its traceback kept in a file for whoever mends it.
    """
    if isinstance(error, GraphError):
        show(render(error.diagnostics, color=has_colors()), sys.stderr)
        return 2
    if isinstance(error, InputError | RunError):
        text = str(error)
        # Errors that list several problems call each of them one already.
        tell(text if text.startswith("error:") else f"error: {text}")
        return 2 if isinstance(error, InputError) else 1
    if isinstance(error, _UsageError):
        words = io.StringIO()
        error.show(words)  # type: ignore[attr-defined]  # every class of typer's has it
        tell(words.getvalue().rstrip("\n"))
        return 2
    if isinstance(error, typer.Abort):
        tell("error: interrupted")
        return 1
    if isinstance(error, OSError) and error.errno in _NO_PATHS:
        tell(f"error: {error.strerror}: {str(error.filename)!r:.200}")
        return 2
    if isinstance(error, OSError):
        give_up(sys.stdout)
        if not isinstance(error, BrokenPipeError):  # the reader of the output has seen enough
            where = error.filename or "the output"
            tell(f"error: cannot read or write {where}: {error.strerror or error}")
        return 1
    if isinstance(error, ValueError) and str(error) == "embedded null byte":
        tell("error: no file can be called by a name with a zero byte in it")
        return 2
    tell(f"error: {_unforeseen(error)}")
    return 1


def _unforeseen(error: Exception) -> str:
    name = type(error).__name__
    if isinstance(error, MemoryError) or name == "OutOfMemoryError":
        why = f"out of memory ({error})" if str(error) else "out of memory"
        return f"{why}: smaller batches, shorter texts or fewer samples need less"
    said = f"{name}: {error}"
    said = said if len(said) <= _MOST else f"{said[:_MOST]}…"
    return (
        f"sysgraph failed where it should not: {said}\n"
        f"  = help: please report this, with {_kept(error)}"
    )


_MOST = 500


def _kept(error: Exception) -> str:
    """Where the traceback is, for messages."""
    text = "".join(traceback.format_exception(error))
    try:
        with tempfile.NamedTemporaryFile(
            "w",
            prefix="sysgraph-",
            suffix=".traceback",
            delete=False,
            encoding="utf-8",
            errors="backslashreplace",
        ) as file:
            file.write(text)
    except OSError:
        return f"this traceback:\n{text}"
    return f"the traceback in {file.name}"
