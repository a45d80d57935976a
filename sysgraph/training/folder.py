"""The folder of a run: what lies where, and whether it may be started, resumed or read."""

import itertools
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sysgraph_compiler import Program
from sysgraph_schemas import Graph, dump

from ..data import load_pairs, pair_row
from ..errors import InputError
from .checkpoint import publish, recover, write_text
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

    def start(self, graph: Graph, program: Program) -> None:
        """Writes what identifies the run."""
        self.root.mkdir(parents=True, exist_ok=True)
        write_text(self.graph, dump(graph))
        write_text(self.program, program.to_json() + "\n")

    def require_same(self, program: Program) -> None:
        """Refuses to resume a run of another program.

        Raises:
            InputError: this is no run, or one of another program.
        """
        if not self.program.is_file():
            raise InputError(f"{self.root} holds no run to resume")
        then = json.loads(self.program.read_text(encoding="utf-8"))
        now = json.loads(program.to_json())
        changed = [key for key in now if now[key] != then.get(key)]
        if changed:
            raise InputError(
                f"{self.root} was run with other settings ({', '.join(changed)} differ): resume it "
                f"with `sysgraph fit {self.graph} --resume --output {self.root}`, or choose another "
                "--output"
            )

    def save_pairs(
        self, number: int, program: Program, pairs: Mapping[str, Sequence[Pair]]
    ) -> None:
        """Writes a round's pairs, so that a resumed run trains on the same ones."""

        def write(staged: Path) -> None:
            for name, several in pairs.items():
                rows = (json.dumps(pair_row(program, pair), ensure_ascii=False) for pair in several)
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


def choose_folder(output: Path | str | None, name: str, *, resume: bool) -> RunFolder:
    """The folder to run in. Without `output`: runs/NAME, runs/NAME-2, ... (the last, to resume).

    Raises:
        InputError: `output` is in use, or there is nothing to resume.
    """
    if output is not None:
        root = Path(output)
        if not resume and root.exists() and (not root.is_dir() or any(root.iterdir())):
            raise InputError(
                f"{root} exists: add --resume to go on with it, or choose another --output"
            )
        return RunFolder(root)
    number = next(i for i in itertools.count(1) if not _default(name, i).exists())
    if not resume:
        return RunFolder(_default(name, number))
    if number == 1:
        raise InputError(f"nothing to resume: there is no {_default(name, 1)}")
    return RunFolder(_default(name, number - 1))


def _default(name: str, number: int) -> Path:
    safe = re.sub(r"[^\w.-]+", "-", name)
    return Path("runs") / (safe if number == 1 else f"{safe}-{number}")
