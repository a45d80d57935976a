"""`sysgraph fit` on the command line: what it prints, and how it exits."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from sysgraph import cli

GRAPH = """
sysgraph: 1
name: coin
models: {m: {kind: table, values: [a, b]}}
nodes:
  x: {kind: input}
  y: {kind: lm, model: m, prompt: "{{ x }}"}
edges: [x -> y]
outputs: [y]
fit: {steps: 3, eval_fraction: 0}
"""
PAIR = {"inputs": {"x": "hi"}, "chosen": {"y": "a"}, "rejected": {"y": "b"}}

Sysgraph = Callable[..., tuple[int, str, str]]


@pytest.fixture
def sysgraph(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Sysgraph:
    """The command line, in a folder with graph.yaml and pairs.jsonl: exit code, output, errors."""
    monkeypatch.chdir(tmp_path)
    Path("graph.yaml").write_text(GRAPH)
    Path("pairs.jsonl").write_text(json.dumps(PAIR) + "\n")

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["sysgraph", *arguments])
        with pytest.raises(SystemExit) as end:
            cli.main()
        return int(end.value.code or 0), *capsys.readouterr()

    return run


def test_a_run(sysgraph: Sysgraph) -> None:
    code, out, err = sysgraph("fit", "graph.yaml", "--data", "pairs.jsonl", "-o", "a run")
    said = "trained models: a run/models\nwhat they learned: a run/report.html\n"
    assert (code, out) == (0, said)
    assert err.splitlines()[-1].startswith("fit: 3/3  loss 0.")
    assert (Path("a run") / "models" / "m" / "table.safetensors").is_file()
    again = sysgraph("fit", "a run/graph.yaml", "--output", "a run", "--resume")
    assert again == (0, out, "")


def test_settings_of_the_command_line_are_the_run_s(sysgraph: Sysgraph) -> None:
    settings = ("--set", "fit.steps=2", "--set", "fit.beta=0.7")
    assert sysgraph("fit", "graph.yaml", "--data", "pairs.jsonl", *settings)[0] == 0
    fit = json.loads(Path("runs/coin/program.json").read_text())["fit"]
    assert (fit["steps"], fit["beta"], fit["data"]) == (2, 0.7, "pairs.jsonl")
    # To resume takes them again; what differs is named.
    code, _, err = sysgraph("fit", "graph.yaml", "--data", "pairs.jsonl", "--resume")
    assert code == 2
    assert err.startswith("error: runs/coin was run with other settings: fit.beta was 0.7")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("graph.yaml",), "error: nothing to train on"),
        (("graph.yaml", "--data", "none.jsonl"), "error: no such file: none.jsonl"),
        (("graph.yaml", "--data", "bad.jsonl"), "error: bad.jsonl:2: "),
        (("graph.yaml", "--data", "value.jsonl"), "error: value.jsonl:1: rejected.y: 'c' is no"),
        (("graph.yaml", "--data", "pairs.jsonl", "--resume"), "error: nothing to resume"),
        (("graph.yaml", "--data", "pairs.jsonl", "-o", "."), "error: . exists: add --resume"),
        (("graph.yaml", "--set", "fit.stepz=3"), "stepz"),
        (("none.yaml",), "none.yaml"),
    ],
)
def test_wrong_input_starts_nothing(
    sysgraph: Sysgraph, tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    Path("bad.jsonl").write_text(json.dumps(PAIR) + "\n{}\n")
    Path("value.jsonl").write_text(json.dumps({**PAIR, "rejected": {"y": "c"}}) + "\n")
    before = sorted(tmp_path.rglob("*"))
    code, out, err = sysgraph("fit", *arguments)
    assert (code, out) == (2, "")
    assert said in err
    assert sorted(tmp_path.rglob("*")) == before


def test_a_failed_run(sysgraph: Sysgraph) -> None:
    Path("same.jsonl").write_text(json.dumps({**PAIR, "rejected": PAIR["chosen"]}) + "\n")
    code, out, err = sysgraph("fit", "graph.yaml", "--data", "same.jsonl")
    assert (code, out) == (1, "")
    assert err.splitlines()[-1].startswith("error: no pair gives a gradient to m")
