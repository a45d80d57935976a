"""`sysgraph.collect`: preference pairs from the system itself, as files. A stopped one goes on."""

import hashlib
import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sysgraph_compiler
from sysgraph_compiler import Program
from sysgraph_schemas import Graph, load

from .data import load_inputs, pair_row
from .data.rows import Row, convert, read_rows
from .data.traces import read_trace_row, trace_row
from .errors import InputError
from .files import write_text
from .progress import Reporter
from .scored import CHUNK, Scored, ordered, scored_chunks
from .scorers import Scorer, find_scorer
from .system import System
from .training.pairs import Pair

_SETTINGS = "collect.json"
_TRACES = "traces.jsonl"


@dataclass(frozen=True)
class Collection:
    """What was collected: `pairs.jsonl` in `folder`, for `fit`, and `traces.jsonl`, with scores."""

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
    settings = _settings(program, inputs, rows, scorer, samples, seed, model_dir)
    _require_same(folder, settings)
    system = System(program, model_dir=model_dir)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot write {folder}: {error.strerror}") from error
    write_text(folder / _SETTINGS, json.dumps(settings, indent=2) + "\n")
    _sample(system, rows, scorer, samples, seed, folder / _TRACES, reporter or Reporter())
    return _pair(program, folder, samples)


def _settings(
    program: Program,
    inputs: str | Path,
    rows: Sequence[Mapping[str, Any]],
    scorer: Scorer,
    samples: int,
    seed: int,
    model_dir: str | Path | None,
) -> dict[str, Any]:
    """What decides the traces. A file of inputs may change while its name stays: hence its rows."""
    return {
        "program": json.loads(program.to_json()),
        "inputs": str(inputs),
        "rows": hashlib.blake2b(json.dumps(rows).encode(), digest_size=16).hexdigest(),
        "scorer": scorer.name,
        "samples": samples,
        "seed": seed,
        "model_dir": str(model_dir) if model_dir else None,
    }


def _require_same(folder: Path, settings: Mapping[str, Any]) -> None:
    """Refuses a folder that is in use by anything but a call with these settings."""
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    try:
        then = dict(json.loads((folder / _SETTINGS).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        raise InputError(
            f"{folder} exists and holds no collection to go on with: choose another --output"
        ) from None
    changed = [name for name, value in settings.items() if then.get(name) != value]
    if changed:
        raise InputError(
            f"{folder} holds a collection with other settings ({', '.join(changed)} differ): "
            "choose another --output"
        )


def _sample(
    system: System,
    rows: Sequence[Mapping[str, Any]],
    scorer: Scorer,
    samples: int,
    seed: int,
    traces: Path,
    reporter: Reporter,
) -> None:
    """Appends what `traces` lacks, chunk by chunk."""
    done = _whole_chunks(traces, samples, len(rows))
    chunks = scored_chunks(system, rows, scorer, samples=samples, seed=seed, start=done)
    with (
        reporter.task("collect", len(rows), done) as task,
        traces.open("a", encoding="utf-8", newline="\n") as file,
    ):
        for scored in chunks:
            file.writelines(
                _line(
                    {
                        **trace_row(system.program, one.trace),
                        "source": one.source,
                        "score": None if one.score == -math.inf else one.score,
                    }
                )
                for one in scored
            )
            file.flush()
            task.advance(len(scored) // samples)


def _whole_chunks(traces: Path, samples: int, total: int) -> int:
    """Inputs that a stopped call has finished, in whole chunks; what it wrote after them is cut."""
    if not traces.is_file():
        return 0
    lines = traces.read_bytes().split(b"\n")[:-1]
    done = len(lines) // samples
    if done < total:
        done -= done % CHUNK
    size = sum(len(line) + 1 for line in lines[: done * samples])
    os.truncate(traces, size)
    return done


def _pair(program: Program, folder: Path, samples: int) -> Collection:
    """Writes the pairs of all traces."""

    def read(row: Row, problems: list[str]) -> Scored:
        score = row.fields["score"]
        trace = read_trace_row(program, row, problems)
        return Scored(trace, -math.inf if score is None else score, row.fields["source"])

    scored = convert(read_rows(folder / _TRACES), read)
    pairs = [
        {
            **pair_row(program, Pair(better.trace, worse.trace, better.source)),
            "scores": [better.score, None if worse.score == -math.inf else worse.score],
        }
        for better, worse in ordered(scored, samples)
    ]
    write_text(folder / "pairs.jsonl", "".join(map(_line, pairs)))
    return Collection(folder, len(scored), len(pairs), sum(one.trace.failed for one in scored))


def _line(row: Mapping[str, Any]) -> str:
    return json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n"
