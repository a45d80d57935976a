"""A Sampling run that was stopped and resumed ends as the run that was not: to the bit on a CPU."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import sysgraph
from sysgraph import RunError
from sysgraph.support.progress import Reporter

from .test_resume import Interrupting, assert_same

Build = Callable[..., sysgraph.Graph]

WEIGHED = {"sampler": "ancestral", "k": 3, "redraw_every": 4, "estimator": "importance"}
SAMPLING: dict[str, dict[str, Any]] = {
    "every step": {"sampler": "ancestral", "k": 2},
    "windows": {"redraw_every": 3},
    "weighed windows": WEIGHED,
    "frozen upstream": {"sampler": "contrastive"},
}


@pytest.fixture
def answers(write_pairs: Callable[..., Path]) -> Path:
    """Rows with answers alone, but for two that hold everything."""
    rows: list[Any] = [
        ({"question": f"q{i}"}, {"answer": f"yes {i}"}, {"answer": f"no {i % 3}"}) for i in range(6)
    ]
    full = ({"draft": "d", "answer": "yes"}, {"draft": "e", "answer": "no"})
    return write_pairs([*rows, *(({"question": q}, *full) for q in ("one", "two"))])


def graph_of(two_stage: Build, data: Path, name: str, steps: int) -> sysgraph.Graph:
    first = {"train": "frozen"} if name == "frozen upstream" else {}
    return two_stage(
        models={"first": first, "second": {"train": "full"}},
        data=str(data),
        steps=steps,
        save_every=3,
        log_every=10,
        eval_every=4,
        eval_fraction=0.25,
        learning_rate=1e-3,
        anchor=0.1,
        gradient_accumulation_steps=2,
        sampling=SAMPLING[name],
    )


@pytest.mark.parametrize("name", SAMPLING)
def test_interrupted(
    name: str, two_stage: Build, answers: Path, tmp_path: Path, quiet: Reporter
) -> None:
    graph = graph_of(two_stage, answers, name, 10)
    sysgraph.fit(graph, output=tmp_path / "whole", reporter=quiet)
    with pytest.raises(RunError, match="interrupted; continue with"):
        sysgraph.fit(graph, output=tmp_path / "stopped", reporter=Interrupting(shown=False))
    info = json.loads((tmp_path / "stopped" / "state" / "info.json").read_text())
    assert info["step"] == 5
    assert bool(info["drawn"]) == ("windows" in name), "what the sixth step will use"
    sysgraph.fit(graph, output=tmp_path / "stopped", resume=True, reporter=quiet)
    assert_same(tmp_path / "whole", tmp_path / "stopped")


def test_killed(
    two_stage: Build,
    answers: Path,
    start: Callable[..., Any],
    tmp_path: Path,
    quiet: Reporter,
) -> None:
    graph = graph_of(two_stage, answers, "weighed windows", 24)
    sysgraph.fit(graph, output=tmp_path / "whole", reporter=quiet)
    process = start(graph, tmp_path / "killed")
    process.wait_for(lambda: process.step() >= 6)
    process.kill()
    assert process.step() < 24
    sysgraph.fit(graph, output=tmp_path / "killed", resume=True, reporter=quiet)
    assert_same(tmp_path / "whole", tmp_path / "killed")
