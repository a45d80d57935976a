"""The folder of a run: what lies where, and what is written and read there."""

import contextlib
import json
import shlex
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sysgraph_compiler import Program
from sysgraph_schemas import Graph, dump

from ..data import load_pairs, pair_row
from ..support.changes import listed, program_changes
from ..support.errors import InputError
from ..support.files import read_json, write_text
from ..support.manifest import MANIFEST, digest, foreign, is_ours, remove, require_whole
from ..system import System
from ..tools import record, toolbox_of
from ..traces.pair import Pair
from .checkpoint import former, publish, recover


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

    @property
    def tools(self) -> Path:
        """What its tools read: there only where it has some."""
        return self.root / record.FILE

    @property
    def rounds(self) -> Path:
        """A folder of pairs per round that collected its own."""
        return self.root / "rounds"

    @property
    def timings(self) -> Path:
        """A line per phase: its time and memory."""
        return self.root / "timings.jsonl"

    @property
    def record(self) -> Path:
        """What a report shows: answers before and after training, credit; a folder each."""
        return self.root / "record"

    @property
    def report(self) -> Path:
        """The page that shows all of it."""
        return self.root / "report.html"

    @property
    def trackers(self) -> Path:
        """What `fit.trackers` keep: there only where there are some."""
        return self.root / "trackers"

    @property
    def own(self) -> tuple[Path, ...]:
        """All that a run writes in its folder, there or not."""
        files = (self.program, self.graph, self.tools, self.metrics, self.result)
        shown = (self.timings, self.report, self.record)
        return (*files, *shown, self.state, self.models, self.rounds, self.trackers)

    @property
    def abandoned(self) -> bool:
        """Whether a run started here and ended before it kept anything: nothing is lost with it."""
        files = (self.program, self.graph, self.tools, self.metrics, self.timings)
        kept = {path.name for path in (*files, self.rounds, self.record, self.trackers)}
        visible = {path.name for path in self.root.glob("[!.]*")}
        return self.program.is_file() and visible <= kept and not _hidden(self.state)

    def start(self, graph: Graph, program: Program) -> None:
        """Writes what identifies the run, the program first: with it, the run can be resumed."""
        write_text(self.program, program.to_json() + "\n")
        write_text(self.graph, dump(graph))
        tools = toolbox_of(program)
        if tools.fingerprints:
            record.write(self.root, tools.folder, tools.fingerprints)

    def resume_command(self) -> str:
        """The command line that goes on with this run."""
        parts = ["sysgraph", "fit", str(self.graph), "--resume", "--output", str(self.root)]
        return shlex.join(parts)

    def require_same(self, program: Program, instead: str = "") -> None:
        """Refuses to go on with a run of another program.

        Args:
            instead: what else can be done, for the message.

        Raises:
            InputError: this is no run, or one of another program, or a link leads out of it.
        """
        self.require_no_links()
        if not self.program.is_file():
            raise InputError(f"{self.root} holds no run to resume")
        then = read_json(self.program, f"put it back, or compile {self.graph} again")
        changed = program_changes(then, json.loads(program.to_json()))
        if changed:
            others = f", add {instead}" if instead else ""
            raise InputError(
                f"{self.root} was run with other settings: {listed(changed)}. Go on "
                f"with its own ({self.graph}){others}, or choose another --output"
            )
        changed = record.changed(self.root, toolbox_of(program).fingerprints)
        if changed:
            raise InputError(
                f"{self.root} was run with other tools: {listed(changed)}. Put back what they "
                "read, or choose another --output"
            )

    def require_no_links(self) -> None:
        """Refuses a folder in which a name that a run writes leads elsewhere.

        Raises:
            InputError: it does.
        """
        for path in (*self.own, *self._published()):
            if path.is_symlink():
                raise InputError(
                    f"{path} is a link: a run writes in its own folder alone; put there what it "
                    "leads to, or choose another --output"
                )

    def require_only_ours(self) -> None:
        """Refuses a run to whose state or models others have added files: they are not removed.

        Raises:
            InputError: there are some.
        """
        for folder in (self.models, self.state, *self._published()):
            for path in foreign(folder)[:1]:
                raise InputError(f"{path} was not written by this run: move it away first")

    def clear(self) -> None:
        """Removes what a run wrote here, and nothing else."""
        several = self._published()
        # The program last: until then, this is known to be a run and can be done again.
        for folder in (self.models, self.state, *several, _hidden(self.state)):
            if folder is not None and is_ours(folder):
                remove(folder)
        shutil.rmtree(self.trackers, ignore_errors=True)
        for folder in (self.rounds, self.record):
            with contextlib.suppress(OSError):  # none, or something else is in it
                folder.rmdir()
        shown = (self.report, self.timings, self.result, self.metrics)
        for file in (*shown, self.tools, self.graph, self.program):
            file.unlink(missing_ok=True)

    def save_models(self, system: System, *, here: bool = True) -> None:
        """Writes a folder per trained model, and of which program and bases they are.

        Args:
            here: as for `System.save`.
        """
        if not here:
            system.save(self.models, here=False)
            return

        def write(staged: Path) -> None:
            system.save(staged)
            (staged / "README.md").unlink(missing_ok=True)  # peft's card, which is about no model

        publish(self.models, write, provenance(system))

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

    def has_pairs(self, number: int) -> bool:
        """Whether a round has pairs to train on."""
        file = self._round(number) / "train.jsonl"
        return file.is_file() and file.stat().st_size > 1

    def pairs_digest(self, number: int) -> str | None:
        """A digest of a round's pairs; None where it has none on disk."""
        file = self._round(number) / MANIFEST
        return digest(file) if file.is_file() else None

    def load_pairs(
        self, number: int, program: Program, expected: str | None
    ) -> dict[str, list[Pair]]:
        """What `save_pairs` wrote.

        Args:
            expected: what `pairs_digest` said of them.

        Raises:
            InputError: they are not what was written.
        """
        recover(self._round(number))
        remedy = "put it back as it was, or start anew in another --output"
        require_whole(self._round(number), remedy)
        if self.pairs_digest(number) != expected:
            raise InputError(
                f"{self._round(number)} holds other pairs than the run trained on; {remedy}"
            )
        return {
            file.stem: load_pairs(program, file) if file.stat().st_size > 1 else []
            for file in sorted(self._round(number).glob("*.jsonl"))
        }

    def _published(self) -> list[Path]:
        """The folders with manifests in `rounds` and `record`."""
        return [
            path
            for folder in (self.rounds, self.record)
            if folder.is_dir()
            for path in folder.glob("*")
        ]

    def _round(self, number: int) -> Path:
        return self.rounds / f"{number:03d}"


def provenance(system: System) -> dict[str, Any]:
    """What tells whose weights these are: the program, and the models' weights before training."""
    return {"program": json.loads(system.program.to_json()), "bases": system.digests()}


def _hidden(folder: Path) -> Path | None:
    """The folder's last content, where a crash left that under another name."""
    old = former(folder)
    return old if old.is_dir() and not old.is_symlink() else None
