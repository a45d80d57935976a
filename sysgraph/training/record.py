"""What a run writes down for its report: answers, credit, and what each phase cost."""

import contextlib
import json
import math
import resource
import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from time import perf_counter
from typing import Any

import torch

from sysgraph_compiler import Program

from ..data import pair_row
from ..data.traces import trace_row
from ..engines import Work
from ..measuring.samples import Scored
from ..reports.credit import Credit, credit
from ..reports.ledger import Ledger, ledger
from ..support.progress import Reporter
from ..system import System
from ..traces.pair import Pair
from .checkpoint import publish
from .folder import RunFolder
from .metrics import MetricsFile

ANSWERS = 200
"""Most answers that are kept, before and after training."""
PAIRS = 256
"""Most pairs that credit is worked out of at the end of a run."""
_WORST = 24
"""Pairs kept of those that the system gets most wrong."""


class Record:
    """The `record` folder and the timings of a run.

    Args:
        folder: None: of a process that writes nothing.
        devices: where models are.
        work: what this process's models were run on so far.
    """

    def __init__(
        self,
        folder: RunFolder | None,
        devices: Collection[torch.device],
        work: Callable[[], Work],
    ) -> None:
        self._folder, self._work = folder, work
        self._gpus = [one for one in devices if one.type == "cuda"]
        self._timings = MetricsFile(folder.timings if folder is not None else None)

    @contextlib.contextmanager
    def phase(self, name: str, number: int | None = None) -> Iterator[None]:
        """Writes down what a phase took, of round `number` if of one.

        That is seconds, the peak of memory in bytes (of several GPUs, the sum of theirs), and the
        tokens that models were run on in this process, with the padding beside them.

        A phase that a resumed run does again is written again.
        """
        for gpu in self._gpus:
            torch.cuda.reset_peak_memory_stats(gpu)
        start, before = perf_counter(), self._work()
        yield
        where = {} if number is None else {"round": number}
        seconds = perf_counter() - start
        memory = sum(map(torch.cuda.max_memory_allocated, self._gpus)) or _peak_of_process()
        did = self._work() - before
        self._timings.write(
            {"phase": name, **where, "seconds": seconds, "memory": memory, **asdict(did)}
        )

    def answers(self, name: str, program: Program, answers: Sequence[Scored]) -> None:
        """Keeps the first answers to held-out inputs, `before` or `after` training."""

        def write(staged: Path) -> None:
            rows = (
                {
                    **trace_row(program, one.trace, staged),
                    "score": None if one.score == -math.inf else one.score,
                    "failed": one.trace.failed,
                }
                for one in answers[:ANSWERS]
            )
            _write_lines(staged / "answers.jsonl", rows)

        if self._folder is not None:
            about = {"answers": len(answers)}
            publish(self._folder.record / name, write, about)

    def credit(self, system: System, pairs: Sequence[Pair], data: str, reporter: Reporter) -> None:
        """Works out and keeps who learned what of these pairs, and the pairs it gets most wrong."""
        if self._folder is None or not pairs:
            return
        several = spread(pairs, PAIRS)
        found = ledger(system, several, seed=system.program.fit.seed, reporter=reporter)
        means = credit(
            system.program, found, data=data, gradient=gradient_shares(self._folder.metrics)
        )

        def write(staged: Path) -> None:
            text = means.model_dump_json(indent=2)
            (staged / "credit.json").write_text(text + "\n", encoding="utf-8")
            rows = _worst(system.program, several, found, staged)
            _write_lines(staged / "wrong.jsonl", rows)

        publish(self._folder.record / "credit", write)


def read_credit(folder: RunFolder) -> Credit | None:
    """What a run wrote down of its credit; None where it did not get there."""
    file = folder.record / "credit" / "credit.json"
    return Credit.model_validate_json(file.read_bytes()) if file.is_file() else None


def spread(pairs: Sequence[Pair], most: int) -> list[Pair]:
    """At most `most` of them, evenly from the first to the last."""
    count = len(pairs)
    return list(pairs) if count <= most else [pairs[i * count // most] for i in range(most)]


def gradient_shares(metrics: Path) -> dict[str, float]:
    """Each model's share of the gradient's squared norm, a mean over logged steps."""
    shares: dict[str, list[float]] = {}
    for line in metrics.read_text(encoding="utf-8").splitlines() if metrics.is_file() else ():
        found = json.loads(line)
        norms = {
            key.removeprefix("grad_norm/"): value**2
            for key, value in found.items()
            if key.startswith("grad_norm/") and value is not None
        }
        total = sum(norms.values())
        for model, square in norms.items() if total else ():
            shares.setdefault(model, []).append(square / total)
    return {model: sum(several) / len(several) for model, several in shares.items()}


def _worst(
    program: Program, pairs: Sequence[Pair], found: Ledger, folder: Path
) -> Iterator[dict[str, Any]]:
    """The rows of the pairs with the lowest margins, each with its nodes' shares."""
    order = found.margins.masked_fill(~found.usable, math.inf).argsort().tolist()
    for n in order[: min(_WORST, int(found.usable.sum()))]:
        shares = dict(zip(found.variables, found.shares[n].tolist(), strict=True))
        row = pair_row(program, pairs[n], folder)
        yield {**row, "source": pairs[n].source, "margin": found.margins[n].item()} | {
            "shares": shares
        }


def _write_lines(file: Path, rows: Iterator[Mapping[str, Any]]) -> None:
    """`default`: fields that only scorers read may be dates or the like."""
    lines = (json.dumps(row, ensure_ascii=False, default=str) + "\n" for row in rows)
    file.write_text("".join(lines), encoding="utf-8")


def _peak_of_process() -> int:
    """Bytes of memory that the process had at most so far."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
