"""A run that was killed and resumed ends as the run that was not: bit for bit, on a CPU."""

import contextlib
import json
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import sysgraph
from sysgraph import InputError, RunError, Scorer
from sysgraph.support.progress import Reporter, Task


def assert_same(one: Path, other: Path) -> None:
    """Two run folders hold the same models, byte for byte, and the same metrics."""
    files = [
        {
            f.relative_to(run): f.read_bytes()
            for f in sorted((run / "models").rglob("*.safetensors"))
        }
        for run in (one, other)
    ]
    assert files[0]
    assert files[0] == files[1]
    for name in ("metrics.jsonl", "result.json", "program.json"):
        assert (one / name).read_text() == (other / name).read_text(), name


def test_killed_on_fixed_data(
    two_stage: Callable[..., sysgraph.Graph],
    pairs: Path,
    start: Callable[..., Any],
    tmp_path: Path,
    quiet: Reporter,
) -> None:
    """One adapter, one model trained whole on half-precision weights; a schedule; metrics lines
    that span states."""
    graph = two_stage(
        models={"second": {"train": "full", "dtype": "bfloat16"}},
        data=str(pairs),
        steps=150,
        save_every=7,
        log_every=10,
        eval_every=20,
        eval_fraction=0.25,
        lr_scheduler="cosine",
        warmup_steps=5,
        learning_rate=1e-3,
        weight_decay=0.01,
    )
    sysgraph.fit(graph, output=tmp_path / "whole", reporter=quiet)
    process = start(graph, tmp_path / "killed")
    process.wait_for(lambda: process.step() >= 21)
    process.kill()
    assert process.step() < 150
    sysgraph.fit(graph, output=tmp_path / "killed", resume=True, reporter=quiet)
    assert_same(tmp_path / "whole", tmp_path / "killed")


def test_killed_in_a_later_round_and_while_collecting(
    two_stage: Callable[..., sysgraph.Graph],
    questions: Path,
    checksum: Scorer,
    start: Callable[..., Any],
    tmp_path: Path,
    quiet: Reporter,
) -> None:
    """The second round's reference is the first one's result, which only the state still knows."""
    graph = two_stage(
        models={"second": {"train": "full"}},
        inputs=str(questions),
        eval_inputs=str(questions),
        scorer="checksum",
        rounds=3,
        samples=3,
        inputs_per_round=5,
        steps=60,
        save_every=5,
        eval_every=10,
        eval_fraction=0.25,
    )
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    sysgraph.fit(graph, output=whole, scorer=checksum, reporter=quiet)

    process = start(graph, killed)
    process.wait_for(lambda: process.step() >= 1005)
    process.kill()
    assert 1005 <= process.step() < 2000, "it was to be killed in the second round"

    # Resumed, and killed again inside the scorer while the third round's pairs are collected.
    calls = tmp_path / "calls"
    again = start(graph, killed, "--resume", PAUSE_AT=f"{calls}:1")
    again.wait_for(calls.exists)
    again.kill()
    assert again.step() == 2000

    sysgraph.fit(graph, output=killed, resume=True, scorer=checksum, reporter=quiet)
    assert_same(whole, killed)
    rounds = sorted(f.relative_to(whole) for f in whole.glob("rounds/*/*"))
    assert len(rounds) == 9
    assert all((whole / f).read_text() == (killed / f).read_text() for f in rounds)


def test_interrupted_once_it_stops_between_steps(
    two_stage: Callable[..., sysgraph.Graph],
    pairs: Path,
    start: Callable[..., Any],
    tmp_path: Path,
    quiet: Reporter,
    metrics: Callable[[Path], list[dict[str, Any]]],
) -> None:
    graph = two_stage(data=str(pairs), steps=150, save_every=3, log_every=10)
    sysgraph.fit(graph, output=tmp_path / "whole", reporter=quiet)
    folder = tmp_path / "a folder"
    process = start(graph, folder)
    process.wait_for(lambda: process.step() >= 3)
    process.popen.send_signal(signal.SIGINT)
    _, errors = process.popen.communicate()
    assert process.popen.returncode == 1
    assert "Traceback" not in errors
    command = f"sysgraph fit '{folder}/graph.yaml' --resume --output '{folder}'"
    assert errors.rstrip().endswith(f"error: interrupted; continue with: {command}")
    assert 3 <= process.step() < 150
    # Nothing of the graph or settings is needed but the run's own folder.
    sysgraph.fit(folder / "graph.yaml", output=folder, resume=True, reporter=quiet)
    assert_same(tmp_path / "whole", folder)
    assert [line["step"] for line in metrics(folder)] == list(range(10, 151, 10))


def test_a_finished_run_is_read(
    two_stage: Callable[..., sysgraph.Graph],
    questions: Path,
    pairs: Path,
    checksum: Scorer,
    tmp_path: Path,
    quiet: Reporter,
) -> None:
    graph = two_stage(data=str(pairs), eval_inputs=str(questions), scorer="checksum", steps=3)
    run = sysgraph.fit(graph, output=tmp_path / "run", scorer=checksum, reporter=quiet)
    assert run.before is not None
    assert run.after is not None
    before = {f: f.stat().st_mtime_ns for f in (tmp_path / "run").rglob("*")}
    pairs.unlink()
    again = sysgraph.fit(graph, output=tmp_path / "run", resume=True, reporter=quiet)
    assert again == run
    assert before == {f: f.stat().st_mtime_ns for f in (tmp_path / "run").rglob("*")}


class Interrupting(Reporter):
    """Sends this process a SIGINT in the fifth step, as someone who watches the progress would."""

    @contextlib.contextmanager
    def task(self, name: str, total: int, done: int = 0) -> Iterator[Task]:
        with super().task(name, total, done) as task:
            if name == "fit":
                advance, steps = task.advance, iter(range(1, total + 1))

                def counted(count: int = 1, note: str | None = None) -> None:
                    advance(count, note)
                    if next(steps) == 5:
                        signal.raise_signal(signal.SIGINT)

                task.advance = counted  # type: ignore[method-assign]
            yield task


@pytest.fixture
def stopped(
    two_stage: Callable[..., sysgraph.Graph], pairs: Path, tmp_path: Path
) -> sysgraph.Graph:
    """A graph whose run in tmp_path/run was interrupted after its fifth step."""
    graph = two_stage(data=str(pairs), steps=9)
    with pytest.raises(RunError, match=r"interrupted; continue with: sysgraph fit"):
        sysgraph.fit(graph, output=tmp_path / "run", reporter=Interrupting(shown=False))
    assert json.loads((tmp_path / "run" / "state" / "info.json").read_text())["step"] == 5
    return graph


def test_what_cannot_be_written_is_a_failed_run(
    stopped: sysgraph.Graph, tmp_path: Path, quiet: Reporter
) -> None:
    staging = tmp_path / "run" / ".models.staging"
    staging.write_text("in the way")
    with pytest.raises(RunError, match=r"models\.staging: File exists.*sysgraph fit .* --resume"):
        sysgraph.fit(stopped, output=tmp_path / "run", resume=True, reporter=quiet)
    staging.unlink()
    sysgraph.fit(stopped, output=tmp_path / "run", resume=True, reporter=quiet)


def test_changed_settings_are_refused_by_name(
    stopped: sysgraph.Graph, tmp_path: Path, quiet: Reporter
) -> None:
    def changed(**fit: Any) -> sysgraph.Graph:
        settings = stopped.fit.model_copy(update=fit)
        return stopped.model_copy(update={"fit": settings})

    folder = tmp_path / "run"
    before = {f: f.read_bytes() for f in folder.rglob("*") if f.is_file()}
    with pytest.raises(InputError, match=r"fit\.beta was 0\.1, now is 0\.5; fit\.steps was 9"):
        sysgraph.fit(changed(beta=0.5, steps=10), output=folder, resume=True, reporter=quiet)
    models = {**stopped.models}
    models["first"] = models["first"].model_copy(update={"learning_rate": 1.0})
    other = stopped.model_copy(update={"models": models})
    with pytest.raises(InputError, match=r"models\.first\.learning_rate was absent, now is 1\.0"):
        sysgraph.fit(other, output=folder, resume=True, reporter=quiet)
    assert before == {f: f.read_bytes() for f in folder.rglob("*") if f.is_file()}
    sysgraph.fit(stopped, output=folder, resume=True, reporter=quiet)


def test_changed_data_are_refused(
    stopped: sysgraph.Graph, pairs: Path, tmp_path: Path, quiet: Reporter
) -> None:
    text = pairs.read_text()
    pairs.write_text(text.replace("no 1", "no!"))
    with pytest.raises(InputError, match=r"the data of .* changed"):
        sysgraph.fit(stopped, output=tmp_path / "run", resume=True, reporter=quiet)
    pairs.write_text(text)
    sysgraph.fit(stopped, output=tmp_path / "run", resume=True, reporter=quiet)


def test_nothing_to_resume(
    two_stage: Callable[..., sysgraph.Graph], pairs: Path, tmp_path: Path, quiet: Reporter
) -> None:
    graph = two_stage(data=str(pairs))
    with pytest.raises(InputError, match="holds no run to resume"):
        sysgraph.fit(graph, output=tmp_path / "run", resume=True, reporter=quiet)
    assert not (tmp_path / "run").exists()


def test_a_damaged_state_is_named(stopped: sysgraph.Graph, tmp_path: Path, quiet: Reporter) -> None:
    tensors = tmp_path / "run" / "state" / "tensors.safetensors"
    tensors.write_bytes(tensors.read_bytes()[:-10])
    with pytest.raises(InputError, match=r"tensors.safetensors is damaged: it has"):
        sysgraph.fit(stopped, output=tmp_path / "run", resume=True, reporter=quiet)


def test_a_crash_before_the_first_state(
    two_stage: Callable[..., sysgraph.Graph], pairs: Path, tmp_path: Path, quiet: Reporter
) -> None:
    """The program is written first: with it alone, a run is resumed, from its start."""
    graph = two_stage(data=str(pairs))
    sysgraph.fit(graph, output=tmp_path / "whole", reporter=quiet)
    folder = tmp_path / "crashed"
    folder.mkdir()
    (folder / "program.json").write_text((tmp_path / "whole" / "program.json").read_text())
    (folder / "metrics.jsonl").write_text(json.dumps({"step": 1}) + "\n")
    sysgraph.fit(graph, output=folder, resume=True, reporter=quiet)
    assert_same(tmp_path / "whole", folder)
    assert (folder / "graph.yaml").read_text() == (tmp_path / "whole" / "graph.yaml").read_text()
