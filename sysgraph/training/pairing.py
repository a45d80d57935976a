"""From scored traces to a file of pairs, or to the page on which people compare them."""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sysgraph_compiler import Program

from ..data import pair_row
from ..data.rows import Row, convert, read_rows
from ..data.shards import ShardFiles
from ..data.traces import read_trace_row
from ..measuring.raters import ByHand, Rater
from ..measuring.samples import Scored
from ..support.files import write_text
from ..support.progress import Reporter
from ..traces.pair import Pair


@dataclass(frozen=True)
class Collection:
    """What was collected: `file` holds the pairs, for `fit`; beside it are the scored traces.

    `failed` traces have no output; of those, `stopped` could not be sampled, the first because of
    `why`. They make no pair. `undecided` comparisons were made without saying which is better. Of a
    collection that waits for people, `page` is what they compare on, and there are no pairs yet.
    """

    file: Path
    traces: int
    pairs: int
    failed: int
    stopped: int = 0
    why: str = ""
    undecided: int = 0
    page: Path | None = None
    comparisons: int = 0


def read_scored(program: Program, traces: Path) -> list[Scored]:
    """The traces of a file, with their scores."""

    def read(row: Row, problems: list[str]) -> Scored:
        score = row.fields["score"]
        trace = read_trace_row(program, row, problems)
        return Scored(trace, -math.inf if score is None else score, row.fields["source"])

    return convert(read_rows(traces), read)


def write_pairs(
    program: Program, files: ShardFiles, samples: int, rater: Rater, reporter: Reporter
) -> Collection:
    """Writes the pairs of a file of traces."""
    scored = read_scored(program, files.traces)
    rating = rater.rate(scored, samples, reporter)
    lines = []
    for better, worse in rating.pairs:
        pair = Pair(better.trace, worse.trace, better.source)
        row = pair_row(program, pair, files.folder)
        if rater.scorer is not None:
            row["scores"] = [better.score, None if worse.score == -math.inf else worse.score]
        lines.append(line(row))
    write_text(files.pairs, "".join(lines))
    return _collection(files.pairs, scored, pairs=len(lines), undecided=rating.open_comparisons)


def write_page(program: Program, files: ShardFiles, samples: int, rater: ByHand) -> Collection:
    """Writes the page on which the traces of a file are compared."""
    scored = read_scored(program, files.traces)
    title = f"{program.name}: which output is better?"
    text, count = rater.page(title, scored, samples, digest(files.traces))
    write_text(files.page, text)
    return _collection(files.page, scored, pairs=0, page=files.page, comparisons=count)


def _collection(file: Path, scored: Sequence[Scored], **more: Any) -> Collection:
    stopped = [f"{one.source}: {one.trace.stopped}" for one in scored if one.trace.stopped]
    failed = sum(one.trace.failed for one in scored)
    why = "".join(stopped[:1])
    return Collection(
        file, traces=len(scored), failed=failed, stopped=len(stopped), why=why, **more
    )


def digest(file: Path) -> str:
    """Tells a file of traces from others."""
    return hashlib.blake2b(file.read_bytes(), digest_size=16).hexdigest()


def line(row: Mapping[str, Any]) -> str:
    """A row of a file."""
    return json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n"
