"""What is written is what is read: pairs and traces through JSON and back."""

import json
from collections.abc import Callable
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

import sysgraph
from sysgraph import Completion, Program, Trace
from sysgraph.data import load_pairs, pair_row
from sysgraph.data.images import ImageFiles
from sysgraph.data.rows import Row
from sysgraph.data.traces import read_trace_row, trace_row
from sysgraph.traces.course import complete
from sysgraph.traces.pair import Pair

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
DRAFT = st.one_of(TEXT, st.integers(0, 99).map(str))  # digits parse, most other texts do not
IDS = st.one_of(st.none(), st.lists(st.integers(0, 10**6), min_size=1, max_size=4).map(tuple))
EXTRA = st.dictionaries(
    TEXT.filter(lambda k: k not in ("inputs", "chosen", "rejected", "chosen_ids", "rejected_ids")),
    st.recursive(st.none() | st.booleans() | st.integers() | TEXT, st.lists, max_leaves=3),
    max_size=3,
)


@st.composite
def sides(draw: st.DrawFn) -> dict[str, Completion]:
    texts = {"draft[a]": DRAFT, "draft[b]": DRAFT, "list": TEXT, "answer": TEXT}
    return {name: Completion(draw(text), draw(IDS)) for name, text in texts.items()}


def trace(program: Program, question: str, side: dict[str, Completion], extra: object) -> Trace:
    assert isinstance(extra, dict)
    return complete(program, Trace({"question": question}, side, program.outputs, extra=extra))


@settings(max_examples=60, deadline=None)
@given(TEXT, sides(), sides(), EXTRA)
def test_pairs(
    team: Program,
    scratch: Path,
    question: str,
    better: dict[str, Completion],
    worse: dict[str, Completion],
    extra: dict[str, object],
) -> None:
    chosen, rejected = (trace(team, question, side, extra) for side in (better, worse))
    row = pair_row(team, Pair(chosen, rejected, ""), scratch.parent)
    scratch.write_text(json.dumps(row, ensure_ascii=False, allow_nan=False), encoding="utf-8")
    (read,) = load_pairs(team, scratch)
    assert (read.chosen, read.rejected) == (chosen, rejected)


@settings(max_examples=40, deadline=None)
@given(TEXT, sides(), EXTRA)
def test_traces(
    team: Program,
    scratch: Path,
    question: str,
    side: dict[str, Completion],
    extra: dict[str, object],
) -> None:
    written = trace(team, question, side, extra)
    problems: list[str] = []
    fields = json.loads(json.dumps(trace_row(team, written, scratch.parent)))
    row = Row("", fields, ImageFiles(scratch.parent))
    assert read_trace_row(team, row, problems) == written
    assert not problems


def test_what_a_system_sampled(
    program: Callable[[str], Program], jsonl: Callable[..., Path], tmp_path: Path
) -> None:
    two = program("two")
    chosen, rejected = sysgraph.System(two, device="cpu").sample({"question": "q"}, n=2)
    (read,) = load_pairs(two, jsonl(pair_row(two, Pair(chosen, rejected, ""), tmp_path)))
    assert (read.chosen, read.rejected) == (chosen, rejected)
