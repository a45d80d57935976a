"""Trackers hold what metrics.jsonl holds, as their own readers say, after a broken run too."""

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

import sysgraph
from sysgraph import InputError, RunError
from sysgraph.support.progress import Reporter, Task

Metrics = Callable[[Path], list[dict[str, Any]]]
Values = dict[tuple[str, int], list[float]]
STEPS = 40


@pytest.fixture
def graph(write_pairs: Callable[..., Path]) -> sysgraph.Graph:
    """Two tables; a loss that falls."""
    good = {"draft": "red", "answer": "round"}
    bad = [{"draft": "blue", "answer": answer} for answer in ("round", "square")]
    rows = [({"question": f"q{i}"}, good, bad[i % 2]) for i in range(12)]
    table = {"kind": "table", "values": ["round", "square"], "contexts": ["red", "blue"]}
    fit = {"steps": STEPS, "batch_size": 4, "log_every": 5, "eval_every": 10, "save_every": 20}
    described = {
        "name": "two tables",
        "models": {"drafter": {"kind": "table", "values": ["red", "blue"]}, "editor": table},
        "nodes": {
            "question": {"kind": "input"},
            "draft": {"kind": "lm", "model": "drafter", "prompt": "{{ question }}"},
            "answer": {"kind": "lm", "model": "editor", "prompt": "{{ draft }}"},
        },
        "edges": ["question -> draft", "draft -> answer"],
        "outputs": ["answer"],
        "fit": {**fit, "data": str(write_pairs(rows)), "eval_fraction": 0.3, "learning_rate": 0.05},
    }
    return sysgraph.load(json.dumps(described))


def tracked(graph: sysgraph.Graph, *names: str) -> sysgraph.Graph:
    """The graph with `fit.trackers`."""
    fit = graph.fit.model_copy(update={"trackers": list(names)})
    return graph.model_copy(update={"fit": fit})


class Breaking(Reporter):
    """Ends a run after step 33, of which a resumed one goes back to step 20."""

    @contextlib.contextmanager
    def task(self, name: str, total: int, done: int = 0) -> Iterator[Task]:
        with super().task(name, total, done) as task:
            taken = iter(range(1, total + 1))

            def counted(count: int = 1, note: str | None = None) -> None:
                if name == "fit" and next(taken) == 33:
                    raise KeyboardInterrupt

            task.advance = counted  # type: ignore[method-assign]
            yield task


def fit_in_two(graph: sysgraph.Graph, folder: Path) -> None:
    with pytest.raises(RunError, match="interrupted"):
        sysgraph.fit(graph, output=folder, reporter=Breaking(shown=False))
    sysgraph.fit(graph, output=folder, resume=True, reporter=Reporter(shown=False))


def by_step(lines: list[dict[str, Any]]) -> Values:
    """Every number of metrics.jsonl by its name and step."""
    out: Values = {}
    for line in lines:
        for name, value in line.items():
            if name != "step":
                out.setdefault((name, line["step"]), []).append(pytest.approx(value, rel=1e-5))
    return out


def test_tensorboard_holds_every_line_once(
    graph: sysgraph.Graph, tmp_path: Path, metrics: Metrics
) -> None:
    event_accumulator = pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator"
    )
    fit_in_two(tracked(graph, "tensorboard"), tmp_path / "run")
    folder = tmp_path / "run" / "trackers" / "two-tables"
    events = event_accumulator.EventAccumulator(str(folder), size_guidance={"scalars": 0})
    events.Reload()
    found: Values = {}
    for name in events.Tags()["scalars"]:
        for event in events.Scalars(name):
            found.setdefault((name, event.step), []).append(event.value)
    assert found == by_step(metrics(tmp_path / "run"))
    assert found["loss", STEPS][0] < found["loss", 5][0]
    (settings,) = folder.rglob("hparams.yml")
    written = settings.read_text().splitlines()
    assert {"fit.batch_size: 4", "fit.sampling.k: 2", "models.editor.kind: table"} <= set(written)


def test_trackio_goes_on_in_the_same_run(
    graph: sysgraph.Graph, tmp_path: Path, metrics: Metrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path / "trackio"))
    storage = pytest.importorskip("trackio.sqlite_storage").SQLiteStorage
    fit_in_two(tracked(graph, "trackio"), tmp_path / "run")
    (run,) = storage.get_runs("two-tables")
    found: Values = {}
    for line in storage.get_logs("two-tables", run):
        for name, value in line.items():
            if name not in ("step", "timestamp"):
                found.setdefault((name, line["step"]), []).append(value)
    assert found == by_step(metrics(tmp_path / "run"))
    config: Mapping[str, Any] = storage.get_run_config("two-tables", run)
    assert config["fit.batch_size"] == 4
    assert json.loads(config["fit.trackers"]) == ["trackio"]


def test_a_tracker_that_is_not_there_is_told_before_anything_starts(
    graph: sysgraph.Graph, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sysgraph.training.trackers.get_available_trackers", lambda: ["wandb"])
    with pytest.raises(InputError, match=r"has trackio, which is not installed: pip install trac"):
        sysgraph.fit(tracked(graph, "wandb", "trackio"), output=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_new_run_in_the_same_folder_is_a_new_one_there(
    graph: sysgraph.Graph, tmp_path: Path, quiet: Reporter
) -> None:
    pytest.importorskip("tensorboard")
    short = graph.model_copy(update={"fit": graph.fit.model_copy(update={"steps": 1})})
    run, told = tmp_path / "run", set()
    for _ in range(2):
        sysgraph.fit(tracked(short, "tensorboard"), output=run, overwrite=True, reporter=quiet)
        (events,) = (run / "trackers" / "two-tables").glob("events*")
        told |= {json.loads((run / "trackers" / "run.json").read_text())["id"], events.name}
    assert len(told) == 4
    sysgraph.fit(short, output=run, overwrite=True, reporter=quiet)
    assert not (run / "trackers").exists(), "its trackers' files go with a run"
