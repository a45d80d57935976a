"""What survives of a study when it is stopped, or asked for more."""

import json
import signal
from collections.abc import Sequence
from pathlib import Path

import pytest

from sysgraph import InputError, RunError, Scorer, Trace

from .conftest import Build, count, run


def test_a_finished_study_is_read_and_a_larger_one_goes_on(twins: Build, tmp_path: Path) -> None:
    root = tmp_path / "study"
    first = run(twins(), root, seeds=1)
    (alone,) = first.rows[0].seeds
    assert first.rows[0].score == alone.evaluation.score.model_copy(update={"n": 1})
    before = {f: f.stat().st_mtime_ns for f in root.rglob("*/seed0*/*") if f.is_file()}
    before |= {f: f.stat().st_mtime_ns for f in root.rglob("seed0.json")}
    assert len(before) > 10
    second = run(twins(), root, seeds=2)
    assert {f: f.stat().st_mtime_ns for f in before} == before
    assert [row.seeds[0] for row in second.rows] == [row.seeds[0] for row in first.rows]
    assert all(len(row.seeds) == 2 for row in second.rows)
    with pytest.raises(InputError, match=r"fit\.beta was 0\.1, now is 0\.7"):
        run(twins(beta=0.7), root)


@pytest.mark.parametrize(("name", "call"), [("twins", 2), ("twins", 14), ("chain", 9)])
def test_an_interrupted_study_goes_on(
    name: str, call: int, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """Stopped in a measurement, while a round's pairs are collected, between two runs."""
    graph = request.getfixturevalue(name)(save_every=2)
    whole, root = run(graph, tmp_path / "whole", seeds=1), tmp_path / "stopped"
    calls = 0

    def interrupt(traces: Sequence[Trace]) -> list[float]:
        nonlocal calls
        calls += 1
        if calls == call:
            signal.raise_signal(signal.SIGINT)
        return count(traces)

    with pytest.raises(RunError, match="interrupted; the same study, started again, goes on"):
        run(graph, root, scorer=Scorer("count", interrupt, perfect=2), seeds=1)
    finished = {f: f.stat().st_mtime_ns for f in root.rglob("result.json")}
    assert run(graph, root, seeds=1) == whole
    assert {f: f.stat().st_mtime_ns for f in finished} == finished
    assert json.loads((root / "study.json").read_text()) == whole.model_dump()
    curves = [(folder / "curves.json").read_text() for folder in (root, tmp_path / "whole")]
    assert curves[0] == curves[1]


def test_measurements_are_of_the_models_that_are_there(twins: Build, tmp_path: Path) -> None:
    """Of other bases they are refused; what was trained again is measured again."""
    root = tmp_path / "study"
    first = run(twins(), root, seeds=1)
    file = root / "joint" / "seed0.json"
    written = json.loads(file.read_text())
    assert set(written["weights"]["bases"]) == {"m", "n"}
    assert list(written["weights"]["trained"]) == ["joint/seed0"]

    file.write_text(json.dumps({**written, "weights": {**written["weights"], "trained": {}}}))
    assert run(twins(), root, seeds=1) == first
    assert json.loads(file.read_text()) == written

    bases = {**written["weights"]["bases"], "m": "0"}
    other = {**written, "weights": {**written["weights"], "bases": bases}}
    file.write_text(json.dumps(other))
    with pytest.raises(InputError, match=r"joint/seed0\.json was measured with other models: .*m"):
        run(twins(), root, seeds=1)


@pytest.mark.parametrize("content", ["", "{", "{}", "[" * 10**5, '{"judge": 3}'])
def test_a_damaged_measurement_is_named(twins: Build, tmp_path: Path, content: str) -> None:
    root = tmp_path / "study"
    run(twins(), root, seeds=1)
    (root / "joint" / "seed0.json").write_text(content)
    with pytest.raises(InputError, match=r"seed0\.json is damaged: .*; remove it, and start"):
        run(twins(), root, seeds=1)
