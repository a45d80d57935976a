"""Every command opens its graph file the same way: all errors at once, the warnings once."""

import json
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import pytest

import sysgraph
from sysgraph import cli
from sysgraph_compiler import diagnose
from sysgraph_schemas import GraphError, render

from .test_run import Done, here

WARNED = """
sysgraph: 1
name: coin
models:
  m: {kind: table, values: [a, b]}
  idle: {kind: table, values: [a]}
nodes:
  x: {kind: input}
  y: {kind: lm, model: m, prompt: "{{ x }}"}
edges: [x -> y]
outputs: [y]
fit: {steps: 2, eval_fraction: 0, sampling: {sampler: ancestral, k: 2}}
"""
BROKEN = """
sysgraph: 1
name: coin
models:
  m: {kind: table, values: [a, b], temperatur: 1}
nodes:
  x: {kind: input}
  y: {kind: lm, model: mm, prompt: "{{ x }} {{ z }}"}
edges: [x -> y]
outputs: [y]
"""
PAIR = {"inputs": {"x": "hi"}, "chosen": {"y": "a"}, "rejected": {"y": "b"}}
NONE = ("--inputs", "rows.jsonl", "--scorer", "none")
COMMANDS: dict[str, tuple[tuple[str, ...], int]] = {  # what follows the graph, and how it ends
    "check": ((), 0),
    "compile": ((), 0),
    "draw": ((), 0),
    "run": (("--input", "x=hi"), 0),
    "collect": ((*NONE, "-o", "pairs"), 2),  # there is no such scorer: told after the warnings
    "fit": (("--data", "pairs.jsonl"), 0),
    "eval": (NONE, 2),
    "study": ((), 2),  # without a scorer
    "serve": (("--host", "no.such.host.invalid", "--port", "0"), 2),
}
Call = Callable[..., Done]
each_command = pytest.mark.parametrize("command", COMMANDS)


@pytest.fixture
def call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Call:
    monkeypatch.chdir(tmp_path)
    Path("warned.yaml").write_text(WARNED)
    Path("broken.yaml").write_text(BROKEN)
    Path("pairs.jsonl").write_text(json.dumps(PAIR) + "\n")
    Path("rows.jsonl").write_text(json.dumps(PAIR["inputs"]) + "\n")

    def run(command: str, *arguments: str) -> Done:
        return here([command, *arguments], monkeypatch, capsys)

    return run


def test_no_command_is_left_out() -> None:
    graphs = {
        name
        for name, module in cli.COMMANDS.items()
        if "graph" in getattr(import_module(f"sysgraph.cli.{module}"), module).__annotations__
    }
    assert graphs == {*COMMANDS}


@each_command
def test_warnings_are_shown_once(command: str, call: Call) -> None:
    arguments, code = COMMANDS[command]
    done = call(command, "warned.yaml", *arguments)
    shown = render(diagnose(Path("warned.yaml")))
    assert "warning[SG303]" in shown
    assert "warning[SG704]" in shown
    assert done.code == code, done.err
    said = done.out if command == "check" else done.err
    assert said.startswith(f"{shown}\n")
    assert (done.out + done.err).count("warning[SG") == 2


@each_command
def test_all_errors_at_once(command: str, call: Call, tmp_path: Path) -> None:
    before = sorted(tmp_path.rglob("*"))
    done = call(command, "broken.yaml", *COMMANDS[command][0])
    shown = render(diagnose(Path("broken.yaml")))
    for code in ("error[SG101]", "error[SG301]", "error[SG403]"):
        assert code in shown
    assert done.code == 2
    if command == "check":
        assert done.out == f"{shown}\n\n3 errors\n"
    else:
        assert (done.out, done.err) == ("", f"{shown}\n")
    assert sorted(tmp_path.rglob("*")) == before


def test_one_process_of_several_speaks(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "1")
    assert call("compile", "warned.yaml").err == ""


@pytest.mark.parametrize(
    "open_file",
    [
        sysgraph.load,
        sysgraph.fit,
        lambda path: sysgraph.collect(path, "rows.jsonl", output="o", scorer="none"),
        lambda path: sysgraph.study(path, output="o"),
    ],
    ids=["load", "fit", "collect", "study"],
)
def test_python_is_told_the_same(open_file: Callable[[str], object], call: Call) -> None:
    with pytest.raises(GraphError) as caught:
        open_file("broken.yaml")
    assert caught.value.diagnostics == diagnose("broken.yaml")
