"""A graph file, read."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .bounded import TooBigError, read_bounded
from .diagnostics import Diagnostic, GraphError, in_order
from .graph import Graph
from .limits import MAX_BYTES
from .overrides import apply
from .problems import too_big, unreadable
from .source import Source
from .suggest import closest
from .validate import validate
from .yaml_reader import read_yaml


@dataclass(frozen=True, slots=True)
class Reading:
    """What a file gave. With errors, `graph` is what is left of it, for further checks only."""

    graph: Graph | None
    diagnostics: tuple[Diagnostic, ...]


def read(source: str | Path, overrides: Sequence[str] = ()) -> Reading:
    """Reads a graph file, or YAML text, and reports every problem with its shape.

    A string with a line break or `: ` in it is text; any other is a path.
    """
    try:
        root, duplicates = read_yaml(_text(source))
    except GraphError as error:
        return Reading(None, error.diagnostics)
    root, refused = apply(root, overrides)
    graph, problems = validate(root)
    if graph is not None and graph._places is not None:
        graph._places.sound = not (duplicates or refused or problems)
    if graph is not None:
        graph._folder = None if _is_text(source) else Path(source).parent
    return Reading(graph, in_order([*duplicates, *refused, *problems]))


def load(source: str | Path, overrides: Sequence[str] = ()) -> Graph:
    """The graph in a file, or in YAML text.

    Args:
        source: A path; or YAML text, if it is a string with a line break or `: ` in it.
        overrides: Values that replace the file's, as `path=value`: `fit.beta=0.5`.

    Raises:
        GraphError: the file cannot be read, or is no graph; `.diagnostics` has every problem.
    """
    reading = read(source, overrides)
    if reading.graph is None or reading.diagnostics:
        raise GraphError(reading.diagnostics)
    return reading.graph


def _text(source: str | Path) -> Source:
    if _is_text(source):
        source = str(source)
        if len(source.encode("utf-8", "surrogatepass")) > MAX_BYTES:
            raise GraphError([too_big.many_bytes("<text>")])
        return Source("<text>", source.removeprefix("\ufeff"))
    return _file(Path(source))


def _is_text(source: str | Path) -> bool:
    return isinstance(source, str) and ("\n" in source or ": " in source)


def _file(path: Path) -> Source:
    name = str(path)
    try:
        return Source(name, read_bounded(path, MAX_BYTES, pipes=True).decode("utf-8-sig"))
    except TooBigError:
        raise GraphError([too_big.many_bytes(name)]) from None
    except UnicodeDecodeError as error:
        why = f"this is no UTF-8 text: byte {error.start + 1} is 0x{error.object[error.start]:02x}"
        raise GraphError([unreadable.diagnose(name, why, "save it as UTF-8")]) from None
    except FileNotFoundError:
        raise GraphError(
            [unreadable.diagnose(name, "there is no such file", _near(path))]
        ) from None
    except (OSError, ValueError) as error:
        why = error.strerror or "" if isinstance(error, OSError) else str(error)
        raise GraphError([unreadable.diagnose(name, f"cannot be read: {why}")]) from None


def _near(path: Path) -> str | None:
    try:
        names = [entry.name for entry in path.parent.iterdir()]
    except (OSError, ValueError):
        return f"there is no folder {path.parent} either"
    near = closest(path.name, names)
    return f"did you mean {path.parent / near}?" if near else None
