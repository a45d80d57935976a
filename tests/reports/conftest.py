"""A small run of a system of tables, from which everything that is shown of runs is made."""

import json
from pathlib import Path

import pytest

import sysgraph
from sysgraph import Trace
from sysgraph.support.progress import Reporter

GRAPH = {
    "sysgraph": 1,
    "name": "tables",
    "description": "a pair <i>of</i> tables",
    "models": {
        "drafter": {"kind": "table", "values": ["red", "blue"]},
        "editor": {
            "kind": "table",
            "contexts": ["red", "blue"],
            "values": ["round & <b>big</b>", "square"],
            "probs": [[0.7, 0.3], [0.4, 0.6]],
        },
    },
    "nodes": {
        "question": {"kind": "input"},
        "draft": {"kind": "lm", "model": "drafter", "prompt": "{{ question }}"},
        "answer": {"kind": "lm", "model": "editor", "prompt": "{{ draft }}"},
    },
    "edges": ["question -> draft", "draft -> answer"],
    "outputs": ["answer"],
    "fit": {
        "observed": ["answer"],
        "sampling": {"sampler": "beam", "k": 2},
        "rounds": 2,
        "samples": 4,
        "steps": 6,
        "eval_every": 2,
        "log_every": 2,
        "batch_size": 4,
        "learning_rate": 0.1,
        "eval_fraction": 0.3,
    },
}


def roundness(trace: Trace) -> float:
    return float(trace.output().startswith("round"))


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> sysgraph.Run:
    """A finished run in two rounds; drafts are summed over."""
    folder = tmp_path_factory.mktemp("reports")
    inputs = folder / "inputs.jsonl"
    inputs.write_text("".join(json.dumps({"question": f"q{i} <i>"}) + "\n" for i in range(14)))
    spec = json.loads(json.dumps(GRAPH))
    spec["fit"] |= {"inputs": str(inputs), "eval_inputs": str(inputs)}
    graph = sysgraph.load(json.dumps(spec))
    quiet = Reporter(shown=False)
    return sysgraph.fit(graph, output=folder / "run", scorer=roundness, reporter=quiet)


@pytest.fixture
def metrics(run: sysgraph.Run) -> list[dict[str, float]]:
    lines = (run.folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]):  # type: ignore[no-untyped-def]
    """Runs the command line: its exit code and what it printed."""
    import sys
    from unittest.mock import patch

    from sysgraph.cli import main

    def call(*arguments: str | Path) -> tuple[int, str]:
        with patch.object(sys, "argv", ["sysgraph", *map(str, arguments)]):
            try:
                main()
            except SystemExit as end:
                code = int(end.code or 0)
        shown = capsys.readouterr()
        return code, shown.out + shown.err

    return call
