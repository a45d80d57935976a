"""`sysgraph.collect`: preference pairs from the system itself, as files. A stopped one goes on.

The files of shards lie side by side in one folder and share its images. A trace is the same whether
its input is collected in a shard or among all.
"""

import hashlib
import json
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import sysgraph_compiler
from sysgraph_compiler import Program, load
from sysgraph_schemas import Graph

from ..data import load_inputs
from ..data.rows import Source, called
from ..data.shards import Shard, ShardFiles, clear, settings_files
from ..data.traces import trace_row
from ..measuring.judges import Judge, as_judge
from ..measuring.raters import ByHand, ByJudge, ByScore, Rater, read_answers
from ..measuring.raters.base import MAX_COMPARISONS
from ..measuring.raters.by_hand import Answers
from ..measuring.samples import Scored, scored_chunks
from ..measuring.scorers import Scorer, ScorerLike, as_scorer
from ..support.changes import changes, listed, program_changes
from ..support.errors import InputError
from ..support.files import claimed, is_free, read_json, write_text
from ..support.progress import Reporter
from ..support.servers import Servers
from ..system import System, occurrences_of
from ..system.answerable import require_answerable
from ..system.weights import weights_of
from ..tools import toolbox_of
from .pairing import Collection, digest, line, write_page, write_pairs

MAX_SAMPLES = 1024
"""Traces per input: their pairs grow with the square."""
_WAIT = 60.0
"""Seconds for another shard to write its settings."""


def collect(
    graph: Graph | str | Path,
    inputs: Source,
    *,
    output: str | Path,
    scorer: ScorerLike | None = None,
    judge: ScorerLike | Judge | None = None,
    by_hand: bool = False,
    answers: str | Path | None = None,
    comparisons: int = 3,
    samples: int = 4,
    seed: int = 0,
    model_dir: str | Path | None = None,
    shard: str | None = None,
    overwrite: bool = False,
    tools: Mapping[str, Any] | None = None,
    endpoints: Mapping[str, str] | None = None,
    servers: Servers | None = None,
    reporter: Reporter | None = None,
) -> Collection:
    """Samples every input, and writes the pairs of samples of which one is better (section 5.1).

    One of four says which is: a `scorer` of each sample, a `judge` who is shown two at a time, or
    people: `by_hand` writes a page on which they compare, and `answers` reads what they answered.

    Traces are written as they come; called again with the same arguments, it goes on where it was
    stopped. Images lie in `images`, each once.

    Args:
        inputs: a JSONL or Parquet file, a `datasets` name, `toy:WORLD/SPLIT`, or rows.
        output: the folder to write.
        scorer: a scorer, a function of a trace, or what `find_scorer` takes.
        judge: a judge, or what `find_judge` takes; one that scores is a scorer.
        by_hand: write the page.
        answers: the file that the page of this collection wrote.
        comparisons: at most so many an input, by a judge (two requests each) or by hand.
        samples: traces per input; 4 give up to 6 pairs, ties none.
        model_dir: a run whose trained models to use.
        shard: "i/n", the i-th of n parts of the inputs, alone; the others may be worked on at the
            same time, into the same folder.
        overwrite: remove the collection in `output` first, if one is there; other files stay.
        tools: your own tools by name: functions, or what `sysgraph.Tool` says.
        endpoints: addresses of hosted models, as `System` takes them.
        servers: where those are that a `sampler` names, as `System` takes them.

    Raises:
        GraphError, InputError: what was given is wrong, or another process collects it; nothing was
            written.
        RunError: it failed, or was interrupted, after traces were written; called again, it goes
            on.
    """
    graph = graph if isinstance(graph, Graph) else load(graph)
    program = sysgraph_compiler.compile(graph, tools=tools or {})
    rater = _rater(scorer, judge, by_hand or answers is not None, comparisons)
    part = Shard.parse(shard) if shard is not None else Shard()
    if overwrite and part.count > 1:
        raise InputError("--overwrite removes every shard: remove the folder before the first one")
    rows = _rows(program, inputs, rater, samples, part)
    folder = Path(output)
    settings = _settings(program, inputs, rows, rater, samples, seed, model_dir)
    settings["shards"] = part.count
    files, reporter = ShardFiles(folder, part), reporter or Reporter()
    if answers is not None:
        given = read_answers(Path(answers))
        _require_whole(files, settings, samples * len(rows[part.places]))
        return _answered(program, files, samples, given, reporter)
    require_free(folder, settings, overwrite)
    system = System(program, model_dir=model_dir, endpoints=endpoints, servers=servers)
    system.tell(reporter)
    require_answerable(system, rows, called(inputs))
    settings["weights"] = weights_of(system, trained=model_dir is not None)
    with files.claimed():
        start(folder, files, settings, overwrite)
        with files.undone_if_empty():
            _sample(system, rows, part, rater.scorer, samples, seed, files.traces, reporter)
            if by_hand:
                return write_page(program, files, samples, ByHand(comparisons))
            return write_pairs(program, files, samples, rater, reporter)


def _rater(
    scorer: ScorerLike | None,
    judge: ScorerLike | Judge | None,
    by_hand: bool,
    comparisons: int,
) -> Rater:
    """The one who says which samples are better.

    Raises:
        InputError: there is none, or are several.
    """
    if (scorer is not None) + (judge is not None) + by_hand != 1:
        raise InputError(
            "which of two samples is better: expected one of --scorer, --judge, --by-hand and "
            "--answers"
        )
    if not 1 <= comparisons <= MAX_COMPARISONS:
        raise InputError(f"--comparisons: expected 1 to {MAX_COMPARISONS} an input")
    if by_hand:
        return ByHand(comparisons)
    found = as_judge(judge) if judge is not None else as_scorer(cast("ScorerLike", scorer))
    return ByScore(found) if isinstance(found, Scorer) else ByJudge(found, comparisons)


def _rows(
    program: Program, inputs: Source, rater: Rater, samples: int, part: Shard
) -> list[Mapping[str, Any]]:
    """All inputs, which can be sampled so often in so many shards and be scored.

    Raises:
        InputError: they cannot.
    """
    if not 2 <= samples <= MAX_SAMPLES:
        raise InputError(f"collecting compares samples: take 2 to {MAX_SAMPLES} per input")
    rows = load_inputs(program, inputs)
    rater.require(program, rows, called(inputs))
    if part.count > len(rows):
        raise InputError(f"{part.count} shards of {len(rows)} inputs: take at most one an input")
    return list(rows)


def start(folder: Path, files: ShardFiles, settings: Mapping[str, Any], overwrite: bool) -> None:
    """Writes a shard's settings, if those of other shards, and what is there, fit."""
    with claimed(folder, wait=_WAIT):  # shards that start together see each other's settings
        require_free(folder, settings, overwrite)
        if overwrite:
            clear(folder)
        write_text(files.settings, json.dumps(settings, indent=2) + "\n")


def _settings(
    program: Program,
    inputs: Source,
    rows: Sequence[Mapping[str, Any]],
    rater: Rater,
    samples: int,
    seed: int,
    model_dir: str | Path | None,
) -> dict[str, Any]:
    """What decides the traces. A file of inputs may change while its name stays: hence its rows."""
    return {
        "program": json.loads(program.to_json()),
        "inputs": called(inputs),
        "rows": hashlib.blake2b(
            json.dumps(rows, default=repr).encode(), digest_size=16
        ).hexdigest(),
        "scorer": rater.name,
        "samples": samples,
        "seed": seed,
        **({"tools": tools} if (tools := toolbox_of(program).fingerprints) else {}),
        "model_dir": str(model_dir) if model_dir else None,
    }


def require_free(folder: Path, settings: Mapping[str, Any], overwrite: bool) -> None:
    """Refuses a folder that is in use by anything but calls with these settings.

    Raises:
        InputError: it is, and by no collection that may be overwritten.
    """
    if is_free(folder):
        return
    files = settings_files(folder)
    if not files:
        raise InputError(
            f"{folder} exists and holds no collection to go on with: choose another --output"
        )
    if overwrite:
        return
    for file in files:
        found = read_json(file, "add --overwrite to start anew, or choose another --output")
        then = {name: found.get(name) for name in settings}
        now = dict(settings)
        program, own = then.pop("program"), now.pop("program")
        changed = changes(then, now)
        changed[:0] = program_changes(program if isinstance(program, dict) else {}, own)
        # The weights count, wherever they lie.
        if any(not text.startswith("model_dir ") for text in changed):
            raise InputError(
                f"{folder} holds a collection with other settings: {listed(changed)}. Add "
                "--overwrite to remove it, or choose another --output"
            )


def _sample(
    system: System,
    rows: Sequence[Mapping[str, Any]],
    shard: Shard,
    scorer: Scorer | None,
    samples: int,
    seed: int,
    traces: Path,
    reporter: Reporter,
) -> None:
    """Appends what `traces` lacks of the shard, a few inputs at a time."""
    mine, numbers = rows[shard.places], range(1, len(rows) + 1)[shard.places]
    done = _finished(traces, samples, len(mine), system.inputs_at_once(samples))
    chunks = scored_chunks(
        system,
        mine,
        scorer,
        samples=samples,
        seed=seed,
        start=done,
        occurrences=occurrences_of(system.program, rows)[shard.places],
    )
    with (
        reporter.task("collect", len(mine), done) as task,
        traces.open("a", encoding="utf-8", newline="\n") as file,
    ):
        for scored in chunks:
            for place, one in enumerate(scored, start=done * samples):
                source = f"input {numbers[place // samples]}"
                file.write(line(_scored_row(system.program, one, source, traces.parent)))
            file.flush()
            done += len(scored) // samples
            task.advance(len(scored) // samples)


def _scored_row(program: Program, one: Scored, source: str, folder: Path) -> dict[str, Any]:
    score = None if one.score == -math.inf else one.score
    return {**trace_row(program, one.trace, folder), "source": source, "score": score}


def _finished(traces: Path, samples: int, total: int, at_once: int) -> int:
    """Inputs that a stopped call has finished, a multiple of those that are drawn at once.

    An image depends to rounding on what is drawn beside it. What was written of more is cut off.
    """
    if not traces.is_file():
        return 0
    lines = traces.read_bytes().split(b"\n")[:-1]
    done = len(lines) // samples
    if done < total:
        done -= done % at_once
    size = sum(len(line) + 1 for line in lines[: done * samples])
    os.truncate(traces, size)
    return done


def _answered(
    program: Program, files: ShardFiles, samples: int, answers: Answers, reporter: Reporter
) -> Collection:
    """Writes the pairs that people decided.

    Raises:
        InputError: they answered about other traces.
    """
    if answers.collection != digest(files.traces):
        raise InputError(
            f"{answers.file} answers the page of another collection than that in {files.folder}"
        )
    with files.claimed():
        rater = ByHand(MAX_COMPARISONS, answers)
        return write_pairs(program, files, samples, rater, reporter)


def _require_whole(files: ShardFiles, settings: Mapping[str, Any], traces: int) -> None:
    """Refuses answers about a collection that is not there, not whole, or not this one."""
    if not files.settings.is_file() or not files.traces.is_file():
        raise InputError(
            f"{files.folder} holds no collection to answer about: collect with --by-hand first, "
            "and compare on the page that it writes"
        )
    require_free(files.folder, settings, overwrite=False)
    if files.traces.read_bytes().count(b"\n") != traces:
        raise InputError(f"{files.folder}: not all is sampled; call it with --by-hand again")
