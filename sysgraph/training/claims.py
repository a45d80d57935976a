"""Which folder a run is to have: looked at early, claimed late, and looked at again then."""

import contextlib
import itertools
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sysgraph_compiler import Program
from sysgraph_schemas import Graph

from ..support.errors import InputError, RunError
from ..support.files import claimed, component, is_free, made
from .folder import RunFolder


@dataclass(frozen=True)
class Place:
    """What was asked for.

    Args:
        output: the folder; None: runs/NAME, runs/NAME-2, ... (the last, to resume).
        name: the graph's.
        resume: go on with the run that is there.
        overwrite: remove the run that is there, if one is.
    """

    output: Path | None
    name: str
    resume: bool
    overwrite: bool

    def look(self, program: Program) -> RunFolder:
        """The folder as things stand. Nothing is written.

        Raises:
            InputError: it is in use or cannot be written, or there is nothing to resume.
        """
        if self.resume and self.overwrite:
            raise InputError("--resume goes on with a run, --overwrite removes it: give one")
        folder = RunFolder(self._root())
        self._require(folder, program)
        there = next(p for p in (folder.root, *folder.root.absolute().parents) if p.exists())
        if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
            raise InputError(
                f"cannot write {folder.root}: {there} is no folder that you may write to"
            )
        return folder

    @contextlib.contextmanager
    def claim(self, graph: Graph, program: Program) -> Iterator[RunFolder]:
        """The folder, made, marked as this run's and kept from other processes until the end.

        What fails before anything is kept leaves nothing there.

        Raises:
            InputError: another process was faster.
        """
        with contextlib.ExitStack() as stack:
            folder = self._made(stack)
            stack.enter_context(claimed(folder.root))
            self._require(folder, program)
            if not self.resume and not is_free(folder.root):
                folder.clear()
            folder.start(graph, program)
            try:
                yield folder
            except InputError as error:
                if self.resume:
                    raise
                if folder.state.exists() or folder.result.exists():
                    raise RunError(f"{error}\nwhen mended: {folder.resume_command()}") from error
                folder.clear()
                raise

    def _made(self, stack: contextlib.ExitStack) -> RunFolder:
        """The folder; a default one that no other process has made."""
        if self.output is not None or self.resume:
            folder = RunFolder(self._root())
            stack.enter_context(made(folder.root))
            return folder
        while True:
            folder = RunFolder(self._root())
            with contextlib.suppress(FileExistsError):
                stack.enter_context(made(folder.root, new=True))
                return folder

    def _require(self, folder: RunFolder, program: Program) -> None:
        """Whether the folder may be used as it was asked for."""
        if self.resume:
            folder.require_same(program)
            return
        if is_free(folder.root):
            return
        folder.require_no_links()
        if folder.abandoned:
            folder.require_only_ours()
            return
        if not self.overwrite:
            raise InputError(
                f"{folder.root} exists: add --resume to go on with it, --overwrite to remove the "
                "run that is there, or choose another --output"
            )
        if not folder.program.is_file() or not folder.graph.is_file():
            raise InputError(
                f"{folder.root} holds no run to overwrite, but other files: choose another --output"
            )
        folder.require_only_ours()

    def _root(self) -> Path:
        if self.output is not None:
            return self.output
        plain = component(self.name)

        def numbered(number: int) -> Path:
            return Path("runs") / (plain if number == 1 else f"{plain}-{number}")

        free = next(i for i in itertools.count(1) if not os.path.lexists(numbered(i)))
        if not self.resume:
            return numbered(free)
        if free == 1:
            raise InputError(f"nothing to resume: there is no {numbered(1)}")
        return numbered(free - 1)
