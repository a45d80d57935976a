"""No argument and no file makes a command fail in a way that it did not foresee."""

import json
from pathlib import Path

import pytest

from .test_run import here

GRAPH = {
    "sysgraph": 1,
    "name": "g",
    "models": {"m": {"kind": "table", "values": ["1", "2"]}},
    "nodes": {
        "question": {"kind": "input"},
        "answer": {"kind": "lm", "model": "m", "prompt": "{{ question }}"},
    },
    "edges": ["question -> answer"],
    "outputs": ["answer"],
    "fit": {"steps": 1, "batch_size": 2, "eval_fraction": 0},
}
VALUES = [
    *("", " ", "x" * 300, "x" * 100_000, "a/" + "x" * 300, "\0", "a\0b", "caf\udce9", "\ud83d"),
    *("-1", "1000000000", "9" * 30, "1e400", "nan", "[", "**", "a[", "[:", "dir", ":::", "="),
    *("/dev/zero/x", "g.yaml", "nul.jsonl", "latin.jsonl", "bad.parquet", "toy:", "hf://x", "{}"),
    *("null", "fit.steps=", "fit=", "fit.batch_size=1000000000", "models.m.values=[]", "a.b.c=1"),
]
ROWS = ["--inputs", "rows.jsonl", "--scorer", "attributes"]
OPTIONS: dict[str, tuple[list[str], list[str]]] = {
    "check": (["g.yaml"], ["--set", "--format"]),
    "compile": (["g.yaml"], ["--set", "--emit", "--observed", "--method", "--debug-pass"]),
    "draw": (["g.yaml"], ["--set", "-o"]),
    "explain": ([], []),
    "run": (["g.yaml"], ["--input", "--inputs", "--seed", "--format"]),
    "fit": (["g.yaml", "-o", "/dev/null/x"], ["--data"]),
    "collect": (["g.yaml", *ROWS, "-o", "/dev/null/x"], ["--samples", "--shard", "--seed"]),
    "eval": (["g.yaml", *ROWS], ["--best-of", "--judge", "--against", "--model-dir"]),
    "study": (["g.yaml", "-o", "/dev/null/x"], ["--seeds", "--compare"]),
}
CASES = [
    (command, option) for command, (_, several) in OPTIONS.items() for option in ["", *several]
]


@pytest.mark.parametrize(("command", "option"), CASES, ids=lambda part: part or "graph")
def test_every_value_of_every_option(
    command: str,
    option: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("g.yaml").write_text(json.dumps(GRAPH))
    Path("rows.jsonl").write_text('{"question": "not of the toy world"}\n')
    Path("nul.jsonl").write_bytes(bytes(100))
    Path("latin.jsonl").write_bytes(b'{"question": "caf\xe9"}\n')
    Path("bad.parquet").write_text("PAR1")
    Path("dir").mkdir()
    base = OPTIONS[command][0]
    for value in VALUES:
        arguments = [command, *base, option, value] if option else [command, value, *base[1:]]
        done = here(arguments, monkeypatch, capsys)
        assert done.code in (0, 2), (arguments, done.err)
        assert "should not" not in done.err, (arguments, done.err)
        assert "Traceback" not in done.err, (arguments, done.err)
        assert len(done.err) < 20_000, arguments
