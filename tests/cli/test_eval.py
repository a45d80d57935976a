"""`sysgraph eval`: the score, the win rate, as text and as JSON, and what it refuses."""

import json
from pathlib import Path

import pytest
import scipy.stats
import torch

import sysgraph as sg

from .test_check import sysgraph
from .test_run import here

GRAPH = """
sysgraph: 1
name: sure
models: {m: {kind: table, values: [red cube tiny, none], probs: [[0.5, 0.5]]}}
parsers: {answer: {kind: regex, pattern: "red.*", on_failure: reject}}
nodes:
  question: {kind: input}
  raw: {kind: lm, model: m, prompt: "{{ question }}"}
  answer: {kind: parse, parser: answer}
edges: [question -> raw, raw -> answer]
outputs: [answer]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "g.yaml").write_text(GRAPH)
    (tmp_path / "in.jsonl").write_text('{"question": "what is bar fam hak ?"}\n' * 40)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "notes.txt").write_text("no run")
    return tmp_path


def test_a_process_prints_strict_json(folder: Path) -> None:
    options = ["--inputs", "in.jsonl", "--scorer", "attributes", "--format", "json"]
    done = sysgraph("eval", "g.yaml", *options, cwd=folder)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["scorer"] == "attributes"
    assert found["score"]["mean"] == 3
    assert found["score"]["low"] is None, "equal scores say nothing of their spread"
    failed = found["failed"]["mean"]
    assert found["score"]["n"] == 40 - round(40 * failed)
    assert found["perfect"]["mean"] == pytest.approx(1 - failed)
    for name, mean in {"failed": failed, "perfect": 1 - failed}.items():
        interval = scipy.stats.binomtest(round(40 * mean), 40).proportion_ci(method="wilson")
        assert (found[name]["low"], found[name]["high"]) == pytest.approx(tuple(interval))
    assert 0.2 < failed < 0.8


def test_text(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    options = ["--inputs", "in.jsonl", "--scorer", "attributes", "--best-of", "20"]
    done = here(["eval", "g.yaml", *options], monkeypatch, capsys)
    assert (done.code, done.out) == (
        0,
        "attributes 3.000, perfect 1.000 [0.912, 1.000]\n",
    )


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            [],
            "error: no inputs to answer: give --inputs, or set fit.eval_inputs\n"
            "error: no scorer: give --scorer, or set fit.scorer\n",
        ),
        (["--inputs", "in.jsonl", "--scorer", "atributes"], "did you mean `attributes`?"),
        (["--inputs", "inn.jsonl", "--scorer", "attributes"], "no such file: inn.jsonl; did you"),
        (["--inputs", "g.yaml", "--scorer", "attributes"], "g.yaml is no JSON Lines"),
        (
            ["--inputs", "in.jsonl", "--scorer", "attributes", "--model-dir", "run"],
            "no trained models",
        ),
        (["--inputs", "in.jsonl", "--format", "xml"], "'xml' is not one of 'text', 'json'"),
        (["--inputs", "in.jsonl", "--best-of", "0"], "Invalid value for '--best-of'"),
        (["--inputs", "in.jsonl", "--scorer", "attributes", "--against", "run"], "needs a --judge"),
        (
            ["--judge", "scorer:attributes", "--scorer", "attributes"],
            "error: no inputs to answer: give --inputs, or set fit.eval_inputs\n"
            "error: --scorer and --best-of: not with --judge, which compares single answers\n"
            "error: --judge: nothing to compare the untrained system with: give --model-dir, or "
            "--against\n",
        ),
        (
            ["--inputs", "in.jsonl", "--judge", "scorer:atributes", "--against", "run"],
            "did you mean `attributes`?",
        ),
        (
            ["--inputs", "in.jsonl", "--judge", "attributes", "--against", "run"],
            "no kind of judge 'attributes'",
        ),
        (
            ["--inputs", "in.jsonl", "--judge", "scorer:attributes", "--against", "runn"],
            "'runn' is no folder; expected a run's, or reference:FIELD",
        ),
        (
            ["--inputs", "in.jsonl", "--judge", "scorer:attributes", "--against", "run"],
            "no trained models",
        ),
        (
            ["--inputs", "in.jsonl", "--judge", "scorer:attributes", "--against", "reference:"],
            "expected reference:FIELD",
        ),
        (
            ["--inputs", "in.jsonl", "--judge", "scorer:attributes", "--against", "reference:gold"],
            "error: in.jsonl: row 1: gold: expected a text, got nothing\n",
        ),
    ],
)
def test_wrong_input(
    options: list[str],
    said: str,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(folder)
    done = here(["eval", "g.yaml", *options], monkeypatch, capsys)
    assert (done.code, done.out) == (2, "")
    assert said in done.err


def test_rows_without_inputs(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "bad.jsonl").write_text('{"question": 1}\n{\n')
    monkeypatch.chdir(folder)
    options = ["--inputs", "bad.jsonl", "--scorer", "attributes"]
    done = here(["eval", "g.yaml", *options], monkeypatch, capsys)
    assert done.code == 2
    assert [line[:18] for line in done.err.splitlines()] == [
        "error: bad.jsonl:1",
        "error: bad.jsonl:2",
        "2 problems in the ",
    ]


def test_a_scorer_that_does_not_fit(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "other.jsonl").write_text('{"question": "who?"}\n' * 9)
    monkeypatch.chdir(folder)
    options = ["--inputs", "other.jsonl", "--scorer", "attributes"]
    done = here(["eval", "g.yaml", *options], monkeypatch, capsys)
    assert done.code == 2
    said = "other.jsonl:1: scorer 'attributes': no entity of the world 'specialists'"
    assert done.err.startswith(f"error: {said}")
    assert done.err.endswith("9 problems in the data\n")


def trained(folder: Path, name: str, *, good: float) -> None:
    """A run whose model answers well with this probability."""
    system = sg.System(sg.compile(sg.load(folder / "full.yaml")), device="cpu")
    with torch.no_grad():
        logits = torch.tensor([[good, 1 - good]]).log().clamp(min=-1e4)
        system.parameters("m")["logits"].copy_(logits)
    system.save(folder / name / "models")


@pytest.fixture
def runs(folder: Path) -> Path:
    (folder / "full.yaml").write_text(GRAPH.replace("kind: table,", "kind: table, train: full,"))
    for name, good in {"best": 1.0, "worst": 0.0}.items():
        trained(folder, name, good=good)
    golds = ["red cube tiny", "red ball", "no such thing", "red cube tiny"]
    rows = [{"question": "what is bar fam hak ?", "gold": gold} for gold in golds]
    (folder / "gold.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows * 10))
    return folder


BY_SCORE = ["--inputs", "in.jsonl", "--judge", "scorer:attributes"]


def test_the_win_rate_over_the_untrained_system(
    runs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(runs)
    options = ["--inputs", "in.jsonl", "--scorer", "attributes", "--format", "json"]
    scored = here(["eval", "full.yaml", *options], monkeypatch, capsys)
    failed = round(40 * json.loads(scored.out)["failed"]["mean"])
    done = sysgraph(
        "eval", "full.yaml", *BY_SCORE, "--model-dir", "best", "--format", "json", cwd=runs
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    # With one seed on both sides, the untrained system fails where it failed above.
    assert (found["wins"], found["ties"], found["losses"]) == (failed, 40 - failed, 0)
    assert 8 < failed < 32
    assert found["win_rate"]["mean"] == pytest.approx((40 + failed) / 80)
    assert (found["judge"], found["position_bias"]) == ("attributes", None)


def test_the_win_rate_over_another_run(
    runs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(runs)
    options = [*BY_SCORE, "--model-dir", "best", "--against", "worst"]
    done = here(["eval", "full.yaml", *options], monkeypatch, capsys)
    low = 1 / (1 + 1.959963984540054**2 / 40)  # Wilson's interval where all are won
    told = f"attributes: win rate 1.000 [{low:.3f}, 1.000], 40 won, 0 tied, 0 lost\n"
    assert (done.code, done.out) == (0, told)
    options = [*BY_SCORE, "--model-dir", "worst", "--against", "worst"]
    done = here(["eval", "full.yaml", *options], monkeypatch, capsys)
    assert "0 won, 40 tied, 0 lost" in done.out
    done = here(["eval", "full.yaml", *BY_SCORE, "--against", "best"], monkeypatch, capsys)
    assert ", 0 won, " in done.out


def test_the_win_rate_over_references(
    runs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(runs)
    options = ["--inputs", "gold.jsonl", *BY_SCORE[2:], "--against", "reference:gold"]
    best = here(["eval", "full.yaml", *options, "--model-dir", "best"], monkeypatch, capsys)
    assert "20 won, 20 tied, 0 lost" in best.out
    worst = here(["eval", "full.yaml", *options, "--model-dir", "worst"], monkeypatch, capsys)
    assert "0 won, 0 tied, 40 lost" in worst.out
    untrained = here(["eval", "full.yaml", *options, "--format", "json"], monkeypatch, capsys)
    found = json.loads(untrained.out)
    assert min(found["wins"], found["losses"]) > 3
    assert found["wins"] + found["ties"] + found["losses"] == 40
