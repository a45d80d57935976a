"""No text of a stranger steers the reader's terminal, whatever command shows it, and where."""

import json
import logging
import unicodedata
import warnings
from pathlib import Path
from typing import Any

import pytest

from sysgraph.support.progress import Reporter
from sysgraph_schemas.visible import visible, visible_json, visible_lines

from .test_run import Done, here

# Colours, the window's title, a cleared screen, C1's own CSI, DEL, bidirectional override and
# isolate, zero-width, line separator, half of a surrogate pair, tag characters, a carriage return.
EVIL = "\x1b[31m\x1b]0;t\x07\x1b[2J\x9b1m\x7f\u202e\u2066\u200b\u2028\udc9b\U000e0041\r"
# What a graph file and a terminal's arguments can hold of it.
IN_FILE = EVIL.replace("\udc9b", "")

GRAPH: dict[str, Any] = {
    "sysgraph": 1,
    "name": "hostile",
    "description": f"d {IN_FILE}\nsecond line",
    "models": {
        "m": {
            "kind": "table",
            "values": [f"said {IN_FILE}", "b"],
            "contexts": [f"q{IN_FILE}", "q"],
        },
        "r": {"kind": "table", "values": [f"math{IN_FILE}", "law"], "train": "frozen"},
    },
    "nodes": {
        "question": {"kind": "input"},
        "route": {
            "kind": "choice",
            "model": "r",
            "options": [f"math{IN_FILE}", "law"],
            "prompt": "",
        },
        "draft": {
            "kind": "lm",
            "model": "m",
            "for_each": {"k": ["one", "two"]},
            "prompt": "{{ question }}",
        },
        "answer": {
            "kind": "lm",
            "model": "m",
            "prompt": "{{ question }}",
            "when": {"route": [f"math{IN_FILE}"]},
        },
    },
    "edges": ["question -> draft, route", "question, route -> answer"],
    "outputs": ["draft", "answer"],
    "fit": {
        "data": f"nowhere{IN_FILE}.jsonl",
        "eval_inputs": f"none{IN_FILE}",
        "scorer": f"s{IN_FILE}",
    },
}


def raw(text: str) -> set[str]:
    """The characters of a text that a terminal would obey, or that hide or reorder others."""
    return {
        c
        for c in text
        if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp") and c not in "\n\t"
    }


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("g.yaml").write_text(json.dumps(GRAPH), encoding="utf-8")
    Path("broken.yaml").write_text(json.dumps({**GRAPH, f"k{IN_FILE}": 1}), encoding="utf-8")
    Path(f"e{IN_FILE}.yaml").write_text("sysgraph: 1\n: [", encoding="utf-8")
    rows = [
        {f"k{IN_FILE}": "x", "chosen": {f"n{IN_FILE}": 1}, "rejected": {"draft": [IN_FILE]}},
        {
            "question": "q",
            "chosen": {"draft": [f"v{IN_FILE}", 1]},
            "rejected": {"draft": {IN_FILE: 1}},
        },
        {"prompt": [{"role": IN_FILE, "content": "x"}], "chosen": "x", "rejected": "y"},
        {"inputs": {f"i{IN_FILE}": IN_FILE}, "chosen": {"answer": ""}, "rejected": {}},
    ]
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    for name in ("rows", f"r{IN_FILE}"):
        Path(f"{name}.jsonl").write_text(text, encoding="utf-8", newline="\n")
    Path("ok.jsonl").write_text(json.dumps({"question": f"q{IN_FILE}"}) + "\n", encoding="utf-8")
    Path(f"no{IN_FILE}.parquet").write_text("x")
    return tmp_path


COMMANDS: list[list[str]] = [
    ["check", "g.yaml"],
    ["check", "broken.yaml"],
    ["check", "broken.yaml", "--format", "json"],
    ["check", "broken.yaml", "--format", "github"],
    ["check", f"e{IN_FILE}.yaml"],
    ["check", f"nosuch{EVIL}.yaml"],
    ["check", "g.yaml", "--set", f"fit.{EVIL}=1"],
    ["check", "g.yaml", "--set", f"description={EVIL}"],
    ["check", "g.yaml", "--format", EVIL],
    ["compile", "g.yaml"],
    ["compile", "g.yaml", "--emit", "json"],
    ["compile", "g.yaml", "--emit", "latex"],
    ["compile", "g.yaml", "--observed", EVIL],
    ["compile", "g.yaml", "--debug-pass", EVIL],
    ["compile", "g.yaml", "-o", f"nosuch{EVIL}/x"],
    ["draw", "g.yaml"],
    ["draw", "g.yaml", "-o", f"x.{EVIL}"],
    ["draw", "g.yaml", "-o", f"nosuch{EVIL}/x.dot"],
    ["explain", EVIL],
    [EVIL],
    [f"--{EVIL}"],
    ["run", f"--{EVIL}", "g.yaml"],
    ["run", "g.yaml", "--input", f"question=q{IN_FILE}"],
    ["run", "g.yaml", "--input", f"question=q{IN_FILE}", "--format", "json"],
    ["run", "g.yaml", "--input", f"question=q{EVIL}"],
    ["run", "g.yaml", "--input", f"question={EVIL}"],
    ["run", "g.yaml", "--input", f"{EVIL}=x"],
    ["run", "g.yaml", "--input", EVIL],
    ["run", "g.yaml", "--input", "question=q", "--seed", EVIL],
    ["run", "g.yaml", "--input", "question=q", "--model-dir", EVIL],
    ["fit", "g.yaml"],
    ["fit", "g.yaml", "--data", "rows.jsonl"],
    ["fit", "g.yaml", "--data", f"r{IN_FILE}.jsonl"],
    ["fit", "g.yaml", "--data", f"no{IN_FILE}.parquet"],
    ["fit", "g.yaml", "--data", f"nosuch{EVIL}"],
    ["fit", "g.yaml", "--data", f"nosuch{EVIL}/*.jsonl"],
    ["fit", "g.yaml", "--data", "rows.jsonl", "-o", EVIL],
    ["collect", "g.yaml", "--inputs", "ok.jsonl", "--scorer", EVIL, "-o", "out"],
    ["collect", "g.yaml", "--inputs", "rows.jsonl", "--scorer", "attributes", "-o", "out"],
    ["collect", "g.yaml", "--inputs", f"toy:{EVIL}", "--scorer", "attributes", "-o", "out"],
    [
        "collect",
        "g.yaml",
        "--inputs",
        "ok.jsonl",
        "--scorer",
        "attributes",
        "-o",
        "o",
        "--shard",
        EVIL,
    ],
    ["eval", "g.yaml"],
    ["eval", "g.yaml", "--inputs", "ok.jsonl"],
    ["eval", "g.yaml", "--inputs", "ok.jsonl", "--judge", EVIL, "--against", "reference:x"],
    ["eval", "g.yaml", "--inputs", "ok.jsonl", "--judge", "scorer:attributes", "--against", EVIL],
    [
        "eval",
        "g.yaml",
        "--inputs",
        "ok.jsonl",
        "--judge",
        "scorer:attributes",
        "--against",
        f"reference:{EVIL}",
    ],
    ["study", "g.yaml", "-o", "study"],
    ["study", "g.yaml", "-o", "study", "--judge", EVIL],
    ["study", "g.yaml", "--compare", EVIL],
]


@pytest.mark.parametrize("arguments", COMMANDS, ids=lambda a: " ".join(map(ascii, a))[:60])
def test_no_control_character_is_printed(
    arguments: list[str],
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    done: Done = here(arguments, monkeypatch, capsys)
    assert not raw(done.out + done.err)
    assert "should not" not in done.err, done.err  # nothing that no command foresaw
    if "json" in arguments:
        json.loads(done.out)


def test_what_a_model_says_is_spelled_out(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    models = {"m": {"kind": "table", "values": [f"a {IN_FILE}\n\tb"]}}
    nodes = {"question": {"kind": "input"}, "draft": {**GRAPH["nodes"]["draft"], "prompt": ""}}
    graph = {**GRAPH, "models": models, "nodes": nodes, "edges": ["question -> draft"]}
    Path("said.yaml").write_text(json.dumps({**graph, "outputs": ["draft"]}), encoding="utf-8")
    arguments = ["run", "said.yaml", "--input", "question=q"]
    shown = here(arguments, monkeypatch, capsys).out
    assert r"a \u001b[31m\u001b]0;t\u0007\u001b[2J\u009b1m\u007f\u202e\u2066" in shown
    assert "\n\tb" in shown
    as_json = json.loads(here([*arguments, "--format", "json"], monkeypatch, capsys).out)
    assert as_json["draft"] == [f"a {IN_FILE}\n\tb"] * 2  # JSON holds the very text


@pytest.mark.parametrize("text", ["plain é 漢字 e\u0301\u00a0x", "a\nb\tc", EVIL, ""])
def test_spelling(text: str) -> None:
    for spelled in (visible(text), visible_lines(text)):
        assert not raw(spelled)
    assert "\n" not in visible(text)
    if not raw(text):
        assert visible_lines(text) == text
    document = json.dumps({"a": text}, ensure_ascii=False, indent=1)
    assert json.loads(visible_json(document)) == {"a": text}
    assert not raw(visible_json(document))


def test_progress_and_other_packages_logs(capsys: pytest.CaptureFixture[str]) -> None:
    from sysgraph.cli.terminal import tame

    tame()
    reporter = Reporter()
    reporter.line(f"[bold]a[/bold] :smile: {IN_FILE}\nb")
    with reporter.task(f"t{EVIL}", 2) as task:
        task.advance(1, note=f"n{EVIL}")
    logging.getLogger("another.package").error("cannot read %s", EVIL)
    print(warnings.formatwarning(f"odd {EVIL}", UserWarning, "f.py", 1))
    out, err = capsys.readouterr()
    assert not raw(out + err)
    assert "[bold]a[/bold] :smile:" in err
