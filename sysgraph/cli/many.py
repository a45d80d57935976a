"""`sysgraph run --inputs FILE -o FILE`: what the options say, checked before anything is loaded."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sysgraph_compiler import Program

from ..support.errors import InputError, RunError
from .options import require_writable
from .terminal import say

if TYPE_CHECKING:
    from ..system import System

_SUFFIXES = (".jsonl", ".parquet")
"""Of the files that answers are written to."""


@dataclass(frozen=True)
class Manner:
    """How a file is answered.

    Attributes:
        seed: of the samples.
        all_values: whether a row has every node's value, or the outputs alone.
        resume: go on with what a stopped call has left.
        overwrite: replace the file, and what a stopped call has left.
        workers: requests to hosted models and servers at a time; None: as many as usual.
    """

    seed: int = 0
    all_values: bool = False
    resume: bool = False
    overwrite: bool = False
    workers: int | None = None

    def require_default(self) -> None:
        """Refuses options that are for a file, where there is none: InputError, with all."""
        given = {
            "--all-values": self.all_values,
            "--resume": self.resume,
            "--overwrite": self.overwrite,
            "--workers": self.workers,
        }
        _refuse(f"{name}: needs --inputs FILE" for name, value in given.items() if value)

    def require_possible(self, program: Program) -> None:
        """Refuses options that contradict each other or the graph: InputError."""
        if self.resume and self.overwrite:
            raise InputError("--resume and --overwrite: expected one of them")
        asked = any(spec.is_hosted or spec.server for spec in program.models.values())
        if self.workers is not None and not asked:
            raise InputError(
                "--workers: no model of this graph is hosted (kind: endpoint) or has a `sampler`"
            )


def file_for(output: str | None, single: Mapping[str, object]) -> Path:
    """The file for the answers.

    Args:
        single: by its name, what each option says that is for one input alone.

    Raises:
        InputError: it cannot be written, or such an option was given; all that is wrong.
    """
    problems = [f"{name} and --inputs: expected one of them" for name in single if single[name]]
    file = Path(output or "")
    if not output:
        problems.append("--inputs: needs an --output FILE for the answers")
    elif file.suffix.lower() not in _SUFFIXES:
        legal = " or ".join(_SUFFIXES)
        problems.append(f"--output {output!r:.200}: expected a file whose name ends in {legal}")
    _refuse(problems)
    require_writable(file)
    return file


def answer_file(
    program: Program, build: Callable[[], "System"], source: str, file: Path, manner: Manner
) -> None:
    """Answers every row of a source, and says how many failed.

    Args:
        build: loads the system.

    Raises:
        InputError: something is wrong; nothing was written.
        RunError: it failed, or rows did; in that case, all are written.
    """
    manner.require_possible(program)

    from ..support.progress import Reporter
    from .answers import write_answers

    target = file.resolve() if file.is_symlink() else file
    tally = write_answers(build, program, source, target, manner, Reporter())
    say(f"{file}: {tally.rows} rows")
    if tally.failed:
        raise RunError(f"{tally.failed} of {tally.rows} rows failed, the first: {tally.first}")


def _refuse(problems: Iterable[str]) -> None:
    found = [f"error: {problem}" for problem in problems]
    if found:
        raise InputError("\n".join(found))
