"""A graph file, read."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .beside import beside
from .bounded import TooBigError, read_bounded
from .composing.compose import Composer
from .composing.files import Files
from .composing.flat import Flat
from .diagnostics import Diagnostic, GraphError, has_errors, in_order
from .graph import Graph
from .limits import MAX_BYTES
from .located import Located
from .overrides import apply, of_parts
from .problems import too_big, unreadable, wrong_type
from .source import Source
from .suggest import closest
from .validate import validate
from .yaml_reader import read_yaml

TEXT = "<text>"
"""What a graph is called that is given as text: it has no folder, so it names no files."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a file gave. With errors, `graph` is what is left of it, for further checks only."""

    graph: Graph | None
    diagnostics: tuple[Diagnostic, ...]


def read(source: str | Path, overrides: Sequence[str] = ()) -> Reading:
    """Reads a graph file, or YAML text, and reports every problem with its shape.

    A string with a line break or `: ` in it is text; any other is a path. Files that the graph
    names (`use`, `base`, `file`) are read from its folder; a text names none.
    """
    try:
        text = _text(source)
        root, found = read_yaml(text)
        if not isinstance(root.value, dict):
            return Reading(None, in_order([*found, wrong_type.not_a_mapping(root)]))
        files = Files(None if text.name == TEXT else _lying(Path(source)), text)
        flat, problems = _composed(root, files, overrides)
    except GraphError as error:
        return Reading(None, error.diagnostics)
    graph, faults = validate(flat.root)
    found += [*problems, *faults]
    if graph is not None and graph._places is not None:
        graph._places.sound = not has_errors(found)
        graph._places.broken |= flat.broken
    if graph is not None:
        graph._folder = files.top.parent if files.top else None
        graph = beside(graph, graph.folder) if files.top else graph
    return Reading(graph, in_order(found))


def _composed(
    root: Located, files: Files, overrides: Sequence[str]
) -> tuple[Flat, list[Diagnostic]]:
    """The file's graph, with its base, its parts and what the command line says."""
    composer = Composer(files)
    inner: list[str] = []

    def override(whole: Located) -> Located:
        inner.extend(of_parts(whole, overrides))
        changed, refused = apply(whole, [text for text in overrides if text not in inner])
        composer.problems.extend(refused)
        return changed

    try:
        flat = composer.graph(root, override)
    except GraphError as error:
        raise GraphError(in_order([*composer.problems, *error.diagnostics])) from None
    flat.root, refused = apply(flat.root, inner)
    return flat, [*composer.problems, *refused]


def load(source: str | Path, overrides: Sequence[str] = ()) -> Graph:
    """The graph in a file, or in YAML text.

    Args:
        source: A path; or YAML text, if it is a string with a line break or `: ` in it.
        overrides: Values that replace the file's, as `path=value`: `fit.beta=0.5`.

    Raises:
        GraphError: the file cannot be read, or is no graph; `.diagnostics` has every problem.
    """
    reading = read(source, overrides)
    if reading.graph is None or has_errors(reading.diagnostics):
        raise GraphError(reading.diagnostics)
    return reading.graph


def _text(source: str | Path) -> Source:
    if _is_text(source):
        source = str(source)
        if len(source.encode("utf-8", "surrogatepass")) > MAX_BYTES:
            raise GraphError([too_big.many_bytes(TEXT)])
        return Source(TEXT, source.removeprefix("\ufeff"))
    return _file(Path(source))


def _is_text(source: str | Path) -> bool:
    return isinstance(source, str) and ("\n" in source or ": " in source)


def _lying(path: Path) -> Path | None:
    """The path, where a file lies there that others can lie beside: not what a shell pipes in."""
    system = str(path.absolute().parent).startswith(("/dev", "/proc"))
    return path if path.is_file() and not system else None


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
