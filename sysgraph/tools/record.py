"""What a run keeps of its tools, beside its graph: where their files are, and what those hold.

A run's folder holds the graph as it was run, but not the files that its tools read. So the paths in
that graph start where they did when the run was started; what is there must be what was there then.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..support.changes import changes, listed
from ..support.errors import InputError
from ..support.files import damaged, read_json, write_text

FILE = "tools.json"
_REMEDY = "put it back as it was, or take the graph file that the run was started with"


@dataclass(frozen=True)
class Record:
    """Where the paths in tools' settings start, and what a run says of the tools there.

    Args:
        folder: the graph file's.
        origin: where the run's paths start, for a graph in a run's folder.
        nodes: the fingerprints of the run's tools, by node.
    """

    folder: Path
    origin: Path | None = None
    nodes: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def read(cls, folder: Path) -> "Record":
        """What the folder of a graph file says; it is a run's where it has a record.

        Raises:
            InputError: the record is damaged.
        """
        file = folder / FILE
        if not file.is_file() or not (folder / "program.json").is_file():
            return cls(folder)
        found = read_json(file, _REMEDY)
        try:
            return cls(folder, Path(found["folder"]), dict(found["nodes"]))
        except (TypeError, KeyError, ValueError) as error:
            raise damaged(file, f"it is no record of a run's tools ({error!r})", _REMEDY) from None

    def folder_of(self, node: str, tool: Any) -> Path:
        """Where a node's paths start."""
        has_paths = bool(getattr(tool, "paths", ()))
        return self.origin if self.origin and node in self.nodes and has_paths else self.folder

    def require(self, node: str, fingerprint: Mapping[str, Any]) -> None:
        """Refuses a tool of a run whose files hold something else now.

        What a run's folder says is data that somebody may have made: nothing that it leads to is
        read but what it has the digest of.

        Raises:
            InputError: they do.
        """
        if self.origin is None or node not in self.nodes:
            return
        then = self.nodes[node]
        changed = changes(_files(then), _files(fingerprint))
        if changed:
            raise InputError(
                f"the tool of node {node} reads other files than when the run in {self.folder} was "
                f"started: {listed(changed)} ({self.origin})"
            )


def _files(fingerprint: Any) -> dict[str, Any]:
    found = fingerprint.get("files") if isinstance(fingerprint, Mapping) else None
    return {"files": found or {}}


def write(place: Path, folder: Path, nodes: Mapping[str, Any]) -> None:
    """Writes the record of a run's tools into its folder.

    Args:
        folder: where their paths start.
        nodes: their fingerprints.
    """
    text = json.dumps({"folder": str(folder.resolve()), "nodes": nodes}, indent=2)
    write_text(place / FILE, text + "\n")


def changed(place: Path, nodes: Mapping[str, Any]) -> list[str]:
    """How the tools of the run in a folder differ from those that there are now.

    Raises:
        InputError: its record is damaged.
    """
    then = Record.read(place)
    return [] if then.origin is None else changes(then.nodes, nodes)
