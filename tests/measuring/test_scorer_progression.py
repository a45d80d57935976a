"""The scorer `progression`: appendix E's examples, and what it needs of a trace."""

import doctest
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from sysgraph import DataError, InputError, Trace, find_scorer
from sysgraph.measuring.evaluation import summarize
from sysgraph.measuring.scorers import progression as module
from sysgraph.measuring.scorers.progression import consistent, preference
from sysgraph.toys.progression.scenes import render
from sysgraph.toys.progression.world import ATTRIBUTES
from sysgraph.traces.pictures import Picture

SCORER = find_scorer("progression")
OUTPUTS = ("image[1]", "image[2]", "image[3]")


def picture(folder: Path, attribute: str, value: float, seed: int = 0) -> Picture:
    values = {a.name: a.usual for a in ATTRIBUTES} | {attribute: value}
    pixels = render("lake", values, np.random.default_rng(seed))
    png = io.BytesIO()
    Image.fromarray((pixels * 255).round().astype(np.uint8)).save(png, "PNG")
    path = folder / f"{attribute}-{value}-{seed}.png"
    path.write_bytes(png.getvalue())
    return Picture.read(path)


def trace(values: list[Any], **extra: str) -> Trace:
    named = dict(zip(OUTPUTS, values, strict=False))
    gone = frozenset(OUTPUTS[len(values) :])
    return Trace({"prompt": "p"}, named, OUTPUTS, gone, extra)


@pytest.mark.parametrize(
    ("scores", "q", "ordered"),
    [
        ((1.0, 0.5, 0.0), -1, False),  # reversed
        ((0.2, 0.6, 0.7), 0.35, True),  # ordered, but unevenly and over half the range
        ((0.0, 0.5, 1.0), 1, True),  # ideal
        ((0.5, 0.5, 0.5), 0, False),
        ((1.0, 0.0, 1.0), -1, False),
    ],
)
def test_preference_and_order(scores: tuple[float, float, float], q: float, ordered: bool) -> None:
    """The first three have the values of SysDPO's appendix E."""
    assert preference(*scores) == pytest.approx(q)
    assert consistent(*scores) == ordered


@pytest.mark.parametrize("attribute", [a.name for a in ATTRIBUTES])
def test_it_scores_the_attribute_that_was_asked_for(tmp_path: Path, attribute: str) -> None:
    up = [picture(tmp_path, attribute, value) for value in (0.0, 0.5, 1.0)]
    traces = [trace(up, attribute=attribute), trace(up[::-1], attribute=attribute)]
    assert SCORER(traces) == pytest.approx([1, -1], abs=0.15)
    assert SCORER.success is not None
    assert [SCORER.success.of(one) for one in traces] == [1, 0]
    other = next(a.name for a in ATTRIBUTES if a.name != attribute)
    assert SCORER([trace(up, attribute=other)])[0] == pytest.approx(0, abs=0.15)


def test_the_share_in_order_is_reported_and_a_failed_trace_is_not_in_order(tmp_path: Path) -> None:
    up = [picture(tmp_path, "fog", value) for value in (0.1, 0.5, 0.9)]
    traces = [trace(up, attribute="fog"), trace(up[::-1], attribute="fog"), trace([])]
    found = summarize(SCORER(traces), SCORER, traces)
    assert found.shares["order consistent"].mean == pytest.approx(1 / 3)
    assert ", order consistent 0.333 [0.061, 0.792]" in str(found)
    assert found.metrics()["order consistent"] == pytest.approx(1 / 3)
    assert found.failed.mean == pytest.approx(1 / 3)


def test_what_it_needs_is_said(tmp_path: Path) -> None:
    up = [picture(tmp_path, "fog", value) for value in (0.1, 0.5, 0.9)]
    with pytest.raises(InputError, match="needs inputs with a field `attribute`"):
        SCORER([trace(up)])
    with pytest.raises(InputError, match="no attribute 'mist'; there are brightness"):
        SCORER([trace(up, attribute="mist")])
    with pytest.raises(InputError, match="needs three images as outputs, got 2 values"):
        SCORER([trace(up[:2], attribute="fog")])
    with pytest.raises(InputError, match="got 3 values, 2 of them images"):
        SCORER([trace([*up[:2], "text"], attribute="fog")])


def test_rows_without_an_attribute_are_named_before_anything_is_drawn() -> None:
    rows = [{"attribute": "fog"}, {"attribute": "mist"}, {"prompt": "p"}]
    with pytest.raises(DataError) as caught:
        SCORER.require(rows, "in.jsonl")
    assert [one.partition(": scorer")[0] for one in caught.value.problems] == [
        "in.jsonl: row 2",
        "in.jsonl: row 3",
    ]


def test_the_docstring_tells_the_truth() -> None:
    assert doctest.testmod(module).failed == 0


def test_it_names_the_rows_of_its_own_world() -> None:
    for name, world in (("progression", "progression"), ("retouch", "retouch")):
        problem = find_scorer(name).problem
        assert problem is not None
        assert str(problem({})).endswith(f"as the rows of toy:{world}/train have")
