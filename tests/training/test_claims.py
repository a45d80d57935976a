"""A folder that a process writes is no other's until that one has ended."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import sysgraph
from sysgraph import InputError
from sysgraph.support.files import claimed
from sysgraph.support.progress import Reporter

from .test_failures import row, tables


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


RACE = """
import sys, json, sysgraph
from sysgraph.support.progress import Reporter
graph = sysgraph.load(sys.argv[1])
output = sys.argv[2] if len(sys.argv) > 2 else None
print("ready", flush=True)
sys.stdin.readline()
try:
    print(sysgraph.fit(graph, output=output, reporter=Reporter(shown=False)).folder)
except sysgraph.InputError as error:
    print(f"refused: {error}")
"""


def race(graphs: list[sysgraph.Graph], tmp_path: Path, *options: str) -> list[str]:
    """What fits say that begin at the same time, each in a process of its own."""
    processes = []
    for number, graph in enumerate(graphs):
        file = tmp_path / f"graph{number}.yaml"
        file.write_text(sysgraph.dump(graph))
        processes.append(
            subprocess.Popen(
                [sys.executable, "-c", RACE, str(file), *options],
                cwd=tmp_path,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        )
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    return [process.communicate()[0].strip() for process in processes]


def test_two_runs_that_start_together_in_one_folder(
    two_stage: Callable[..., sysgraph.Graph], pairs: Path, tmp_path: Path
) -> None:
    """One has it: program, state and models are of that one. The other wrote nothing."""
    graphs = [two_stage(data=str(pairs), beta=beta, steps=4) for beta in (0.5, 5.0)]
    said = race(graphs, tmp_path, str(tmp_path / "run"))
    (winner,) = (number for number, text in enumerate(said) if text == str(tmp_path / "run"))
    assert said[1 - winner].startswith("refused: ")
    assert "another process is writing" in said[1 - winner] or "exists: add" in said[1 - winner]
    beta = graphs[winner].fit.beta
    run = tmp_path / "run"
    program = json.loads((run / "program.json").read_text())
    state = json.loads((run / "state" / "info.json").read_text())
    models = json.loads((run / "models" / "manifest.json").read_text())
    assert {one["fit"]["beta"] for one in (program, state["program"], models["program"])} == {beta}


def test_two_runs_that_start_together_under_one_name(
    two_stage: Callable[..., sysgraph.Graph], pairs: Path, tmp_path: Path
) -> None:
    """Each has a folder of its own."""
    graphs = [two_stage(data=str(pairs), beta=beta, steps=2) for beta in (0.5, 5.0)]
    said = race(graphs, tmp_path)
    assert sorted(said) == ["runs/two_stage", "runs/two_stage-2"]
    for graph, folder in zip(graphs, said, strict=True):
        program = json.loads((tmp_path / folder / "program.json").read_text())
        assert program["fit"]["beta"] == graph.fit.beta


@pytest.mark.parametrize("signalled", ["SIGTERM", "SIGHUP"])
def test_a_signal_between_steps_stops_where_it_can_be_resumed(
    write_pairs: Callable[..., Path], start: Callable[..., Any], tmp_path: Path, signalled: str
) -> None:
    data = write_pairs([row("a", "b", "m")])
    graph = tables(data, {"m": {}}, steps=10**6, save_every=10**6, log_every=1)
    process = start(graph, tmp_path / "run")
    process.wait_for(lambda: (tmp_path / "run" / "metrics.jsonl").exists())
    process.popen.send_signal(getattr(signal, signalled))
    _, errors = process.popen.communicate()
    assert process.popen.returncode == 1
    assert "error: interrupted; continue with: sysgraph fit" in errors
    assert process.step() > 0, "what was done is kept"


def test_a_terminal_that_has_gone_is_no_reason_to_stop(
    two_stage: Callable[..., sysgraph.Graph],
    pairs: Path,
    tmp_path: Path,
    environment: dict[str, str],
) -> None:
    graph = two_stage(data=str(pairs), steps=4, log_every=1)
    (tmp_path / "g.yaml").write_text(sysgraph.dump(graph))
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "sysgraph", "fit", str(tmp_path / "g.yaml")]
    command += ["-o", str(tmp_path / "run")]
    done = subprocess.run(command, env=environment, stderr=writer, check=False)
    os.close(writer)
    assert done.returncode == 0
    assert (tmp_path / "run" / "result.json").exists()
