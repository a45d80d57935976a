"""A folder that a process writes is no other's until that one has ended."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import sysgraph
from sysgraph import InputError
from sysgraph.files import claimed
from sysgraph.progress import Reporter


def test_a_run_that_goes_on_is_not_resumed_beside_it(
    two_stage: Callable[..., sysgraph.Graph],
    pairs: Path,
    start: Callable[..., Any],
    tmp_path: Path,
    quiet: Reporter,
) -> None:
    """A killed one is."""
    graph = two_stage(data=str(pairs), steps=150, save_every=5, log_every=10)
    run = tmp_path / "run"
    process = start(graph, run)
    process.wait_for(lambda: process.step() >= 5)
    with pytest.raises(InputError, match=f"another process is writing {run}: wait for it, or stop"):
        sysgraph.fit(graph, output=run, resume=True, reporter=quiet)
    process.kill()
    assert 5 <= process.step() < 150
    sysgraph.fit(graph, output=run, resume=True, reporter=quiet)
    assert (run / "result.json").is_file()


def test_a_study_that_goes_on(
    two_stage: Callable[..., sysgraph.Graph], questions: Path, tmp_path: Path, quiet: Reporter
) -> None:
    graph = two_stage(eval_inputs=str(questions), scorer="echo")
    scorer = sysgraph.Scorer("echo", lambda traces: [0.0 for _ in traces])
    (tmp_path / "study").mkdir()
    with (
        claimed(tmp_path / "study"),
        pytest.raises(InputError, match="another process is writing"),
    ):
        sysgraph.study(graph, output=tmp_path / "study", scorer=scorer, reporter=quiet)
    assert not [*(tmp_path / "study").glob("[!.]*")]
