"""`sysgraph.collect`: preference pairs from the system itself, as files. A stopped one goes on."""

import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sysgraph_compiler
from sysgraph_compiler import Program
from sysgraph_schemas import Graph, load

from .data import load_inputs
from .errors import InputError
from .progress import Reporter
from .scored import Scored, sample_scored
from .scorers import Scorer, find_scorer
from .system import System
from .trace import by_node, ids_by_node
from .training.checkpoint import write_text

_INPUTS_PER_WRITE = 32


@dataclass(frozen=True)
class Collection:
    """What was collected: `folder/pairs.jsonl` for `fit`, `folder/traces.jsonl` with every score."""

    folder: Path
    traces: int
    pairs: int
    failed: int


def collect(
    graph: Graph | str | Path,
    inputs: str | Path,
    *,
    output: str | Path,
    scorer: Scorer | str,
    samples: int = 4,
    seed: int = 0,
    model_dir: str | Path | None = None,
    reporter: Reporter | None = None,
) -> Collection:
    """Samples every input, scores the traces and writes all ordered pairs.

    Traces are written as they come; called again with the same arguments, it goes on where it was
    stopped.

    Args:
        inputs: a JSONL or Parquet file, a `datasets` name, or `toy:WORLD/SPLIT`.
        output: the folder to write.
        scorer: a scorer, or the name of a registered one.
        samples: traces per input; 4 give up to 6 pairs, ties none.
        model_dir: a run whose trained models to use.

    Raises:
        GraphError, InputError: what was given is wrong; nothing was written.
    """
    graph = graph if isinstance(graph, Graph) else load(graph)
    program = sysgraph_compiler.compile(graph)
    scorer = find_scorer(scorer) if isinstance(scorer, str) else scorer
    if samples < 2:
        raise InputError("collecting compares samples: take at least 2 per input")
    rows = load_inputs(program, inputs)
    folder = Path(output)
    settings = {
        "program": json.loads(program.to_json()),
        "inputs": str(inputs),
        "scorer": scorer.name,
        "samples": samples,
        "seed": seed,
        "model_dir": str(model_dir) if model_dir else None,
    }
    done = _resume(folder, settings, samples)
    system = System(program)
    if model_dir is not None:
        system.load(model_dir)
    write_text(folder / "collect.json", json.dumps(settings, indent=2) + "\n")
    _sample(system, rows, scorer, samples, seed, folder, done, reporter or Reporter())
    return _pair(folder, samples)


def _resume(folder: Path, settings: Mapping[str, Any], samples: int) -> int:
    """How many inputs an earlier, stopped call has finished; its torn last line is dropped."""
    if not folder.exists() or not any(folder.iterdir()):
        return 0
    try:
        then = json.loads((folder / "collect.json").read_text(encoding="utf-8"))
    except (OSError, json.JSONDecodeError):
        then = None
    if then != settings:
        raise InputError(
            f"{folder} is not empty and holds no collection with these settings: choose another -o"
        )
    traces = folder / "traces.jsonl"
    if not traces.is_file():
        return 0
    whole = traces.read_text(encoding="utf-8").split("\n")[:-1]
    kept = whole[: len(whole) // samples * samples]
    write_text(traces, "".join(f"{line}\n" for line in kept))
    return len(kept) // samples


def _sample(
    system: System,
    rows: Sequence[Mapping[str, Any]],
    scorer: Scorer,
    samples: int,
    seed: int,
    folder: Path,
    done: int,
    reporter: Reporter,
) -> None:
    with (
        reporter.task("collect", len(rows), done) as task,
        (folder / "traces.jsonl").open("a", encoding="utf-8") as file,
    ):
        for start in range(done, len(rows), _INPUTS_PER_WRITE):
            chunk = rows[start : start + _INPUTS_PER_WRITE]
            scored = sample_scored(system, chunk, scorer, samples=samples, seed=seed)
            file.writelines(
                json.dumps(_row(system.program, one), ensure_ascii=False) + "\n" for one in scored
            )
            file.flush()
            task.advance(len(chunk))


def _row(program: Program, one: Scored) -> dict[str, Any]:
    return {
        **one.trace.extra,
        "inputs": dict(one.trace.inputs),
        "values": by_node(program, one.trace),
        "ids": ids_by_node(program, one.trace),
        "failed": one.trace.failed,
        "score": None if one.trace.failed else one.score,
    }


def _pair(folder: Path, samples: int) -> Collection:
    text = (folder / "traces.jsonl").read_text(encoding="utf-8")
    traces = [json.loads(line) for line in text.split("\n") if line]
    rows = [
        json.dumps(row, ensure_ascii=False)
        for start in range(0, len(traces), samples)
        for row in _pairs(traces[start : start + samples])
    ]
    write_text(folder / "pairs.jsonl", "".join(f"{row}\n" for row in rows))
    return Collection(folder, len(traces), len(rows), sum(trace["failed"] for trace in traces))


def _pairs(traces: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """The rows of all ordered pairs of one input's traces."""

    def score(trace: Mapping[str, Any]) -> float:
        return float("-inf") if trace["score"] is None else float(trace["score"])

    for a, b in itertools.combinations(traces, 2):
        if score(a) != score(b):
            better, worse = (a, b) if score(a) > score(b) else (b, a)
            extra = {
                k: v for k, v in better.items() if k not in ("values", "ids", "failed", "score")
            }
            yield {
                **extra,
                "chosen": better["values"],
                "rejected": worse["values"],
                "chosen_ids": better["ids"],
                "rejected_ids": worse["ids"],
                "scores": [better["score"], worse["score"]],
            }
