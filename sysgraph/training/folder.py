"""The folder of a run: what lies where, and whether it may be started, resumed or read."""

import contextlib
import itertools
import json
import os
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sysgraph_compiler import Program
from sysgraph_schemas import Graph, dump

from ..data import load_pairs, pair_row
from ..errors import InputError
from ..files import claimed, is_free, write_text
from ..system import System
from .checkpoint import publish, recover
from .pairs import Pair


@dataclass(frozen=True)
class RunFolder:
    """Paths of one run."""

    root: Path

    @property
    def graph(self) -> Path:
        """The graph as run, overrides included."""
        return self.root / "graph.yaml"

    @property
    def program(self) -> Path:
        """The compiled program."""
        return self.root / "program.json"

    @property
    def metrics(self) -> Path:
        """A line per logged step."""
        return self.root / "metrics.jsonl"

    @property
    def models(self) -> Path:
        """A folder per trained model."""
        return self.root / "models"

    @property
    def state(self) -> Path:
        """What `--resume` goes on from."""
        return self.root / "state"

    @property
    def result(self) -> Path:
        """Scores before and after; there only when the run has finished."""
        return self.root / "result.json"

    @contextlib.contextmanager
    def claimed(self) -> Iterator[None]:
        """Makes the folder, and keeps other processes from running in it until the block ends.

        Raises:
            InputError: another process runs there, or nothing can be written there.
        """
        try:
            self.root.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"cannot write {self.root}: {error.strerror}") from error
        with claimed(self.root):
            yield

    def start(self, graph: Graph, program: Program) -> None:
        """Writes what identifies the run, the program first: with it, the run can be resumed."""
        write_text(self.program, program.to_json() + "\n")
        write_text(self.graph, dump(graph))

    def resume_command(self) -> str:
        """The command line that goes on with this run."""
        parts = ["sysgraph", "fit", str(self.graph), "--resume", "--output", str(self.root)]
        return shlex.join(parts)

    def require_same(self, program: Program) -> None:
        """Refuses to go on with a run of another program.

        Raises:
            InputError: this is no run, or one of another program.
        """
        if not self.program.is_file():
            raise InputError(f"{self.root} holds no run to resume")
        try:
            then = json.loads(self.program.read_text(encoding="utf-8"))
        except ValueError as error:
            raise InputError(f"{self.program} cannot be read: {error}") from error
        changed = list(_changes("", then, json.loads(program.to_json())))
        if changed:
            more = f"; and {len(changed) - 5} more" if len(changed) > 5 else ""
            raise InputError(
                f"{self.root} was run with other settings: {'; '.join(changed[:5])}{more}. Go on "
                f"with its own ({self.graph}), or choose another --output"
            )

    def save_models(self, system: System) -> None:
        """Writes a folder per trained model."""

        def write(staged: Path) -> None:
            system.save(staged)
            (staged / "README.md").unlink(missing_ok=True)  # peft's card, which is about no model

        publish(self.models, write)

    def save_pairs(
        self, number: int, program: Program, pairs: Mapping[str, Sequence[Pair]]
    ) -> None:
        """Writes a round's pairs, so that a resumed run trains on the same ones."""

        def write(staged: Path) -> None:
            for name, several in pairs.items():
                # `default`: fields that only scorers read may be dates or the like.
                rows = (
                    json.dumps(pair_row(program, pair, staged), ensure_ascii=False, default=str)
                    for pair in several
                )
                (staged / f"{name}.jsonl").write_text("\n".join([*rows, ""]), encoding="utf-8")

        publish(self._round(number), write)

    def load_pairs(self, number: int, program: Program) -> dict[str, list[Pair]]:
        """What `save_pairs` wrote."""
        recover(self._round(number))
        return {
            file.stem: load_pairs(program, file) if file.stat().st_size > 1 else []
            for file in sorted(self._round(number).glob("*.jsonl"))
        }

    def _round(self, number: int) -> Path:
        return self.root / "rounds" / f"{number:03d}"


def _changes(path: str, then: object, now: object) -> Iterator[str]:
    """What differs between two JSON values, each by its dotted path."""
    if isinstance(then, dict) and isinstance(now, dict):
        for key in dict.fromkeys([*now, *then]):
            yield from _changes(f"{path}.{key}" if path else key, then.get(key), now.get(key))
    elif then != now:
        plain = all(not isinstance(value, dict | list) for value in (then, now))
        yield f"{path} was {then!r}, now is {now!r}" if plain else f"{path} differs"


def choose_folder(output: Path | str | None, name: str, *, resume: bool) -> RunFolder:
    """The folder to run in. Without `output`: runs/NAME, runs/NAME-2, ... (the last, to resume).

    Raises:
        InputError: `output` is in use or cannot be written, or there is nothing to resume.
    """
    if output is None:
        number = next(i for i in itertools.count(1) if not _default(name, i).exists())
        if resume and number == 1:
            raise InputError(f"nothing to resume: there is no {_default(name, 1)}")
        output = _default(name, number - 1 if resume else number)
    root = Path(output)
    if not resume and not is_free(root):
        raise InputError(
            f"{root} exists: add --resume to go on with it, or choose another --output"
        )
    there = next(parent for parent in (root, *root.absolute().parents) if parent.exists())
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        raise InputError(f"cannot write {root}: {there} is no folder that you may write to")
    return RunFolder(root)


def _default(name: str, number: int) -> Path:
    safe = re.sub(r"[^\w.-]+", "-", name)
    return Path("runs") / (safe if number == 1 else f"{safe}-{number}")
