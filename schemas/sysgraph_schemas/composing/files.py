"""The files that a graph file names: parts, a base, prompts. Nothing outside its folder is opened.

A name is relative to the file that it stands in, and leads downwards: no `..`, no absolute path,
no link that leads out. So everything lies in the folder of the file that was given, or below.
"""

from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath, PureWindowsPath

from ..bounded import OutsideError, TooBigError, read_within
from ..diagnostics import GraphError
from ..limits import MAX_BYTES, MAX_FILE_BYTES, MAX_FILE_DEPTH, MAX_FILES
from ..located import Located
from ..problems import bad_reference, file_circle, many_files, outside
from ..source import Source
from ..suggest import closest, quoted
from ..visible import visible

Chain = tuple[str, ...]
"""The files on the way to one, from the graph file's, by their names below its folder."""


@dataclass
class Files:
    """What was read, for one graph.

    Args:
        top: the graph file; None for a text or a pipe, which name no files.
        source: what it holds.
    """

    top: Path | None
    source: Source
    _read: dict[str, Source] = field(default_factory=dict)
    _names: dict[str, str] = field(default_factory=dict)

    @property
    def start(self) -> Chain:
        """The way to the graph file itself."""
        return (self.top.name if self.top else self.source.name,)

    def find(self, reference: Located, home: Source, chain: Chain) -> str:
        """The file that a reference in `home` names, by its name below the graph's folder.

        Raises:
            GraphError: it is not in the folder, or on the way to itself.
        """
        written = reference.value
        if self.top is None:
            raise GraphError([bad_reference.of_a_text(reference)])
        if not isinstance(written, str) or not written.strip():
            raise GraphError([bad_reference.no_name(reference)])
        path = PurePosixPath(written)
        above = path.is_absolute() or PureWindowsPath(written).drive or "\\" in written
        if above or ".." in path.parts or "\0" in written:
            raise GraphError([outside.diagnose(reference, written)])
        name = str(PurePosixPath(self._names.get(home.name, self.start[0])).parent / path)
        if name in chain:
            raise GraphError([file_circle.diagnose(reference, [*chain, name])])
        if len(chain) > MAX_FILE_DEPTH:
            raise GraphError([many_files.deep(reference)])
        return name

    def read(self, name: str, reference: Located) -> Source:
        """The text of a file that `find` found.

        Raises:
            GraphError: it cannot be read, or is too much.
        """
        if name in self._read:
            return self._read[name]
        assert self.top is not None
        if len(self._read) >= MAX_FILES:
            raise GraphError([many_files.many(reference)])
        shown = str(self.top.parent / name)
        content = self._bytes(name, shown, reference)
        try:
            text = content.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            why = f"is no UTF-8 text: byte {error.start + 1} is 0x{content[error.start]:02x}"
            raise GraphError([bad_reference.unreadable(reference, shown, why)]) from None
        self._read[name] = Source(shown, text)
        self._names[shown] = name
        total = sum(len(source.text) for source in self._read.values())
        if total > MAX_FILE_BYTES:
            raise GraphError([many_files.big(reference)])
        return self._read[name]

    def _bytes(self, name: str, shown: str, reference: Located) -> bytes:
        assert self.top is not None
        folder = self.top.parent

        def fail(why: str, help: str | None = None) -> GraphError:
            return GraphError([bad_reference.unreadable(reference, shown, why, help)])

        try:
            return read_within(folder, name, MAX_BYTES)
        except OutsideError:
            raise GraphError([outside.link(reference, shown)]) from None
        except TooBigError:
            raise GraphError([many_files.one(reference, shown)]) from None
        except FileNotFoundError:
            raise fail("is not there", _near(folder / name, str(reference.value))) from None
        except (OSError, ValueError) as error:
            why = error.strerror or "" if isinstance(error, OSError) else str(error)
            raise fail(f"cannot be read: {visible(why)}") from None


def _near(path: Path, written: str) -> str | None:
    try:
        names = [entry.name for entry in path.parent.iterdir()]
    except (OSError, ValueError):
        return f"there is no folder {path.parent} either"
    near = closest(path.name, names)
    return f"did you mean {quoted(str(PurePosixPath(written).with_name(near)))}?" if near else None
