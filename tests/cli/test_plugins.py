"""Tools and scorers from a file that the user names, and the tools of a run that goes on."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

import sysgraph
from sysgraph import InputError
from sysgraph.support.progress import Reporter

from .test_run import Done, here

GRAPH = """
name: rag
models:
  writer: {kind: table, values: [swims, cat, rock]}
nodes:
  question: {kind: input}
  found: {kind: tool, tool: retrieve, args: {query: question}, returns: list, min_items: 1,
          max_items: 2, settings: {corpus: docs/auk.jsonl, top_k: 2}, on_failure: reject}
  loud: {kind: tool, tool: shout, args: {texts: found}}
  answer: {kind: lm, model: writer, prompt: "{{ loud }} {{ question }}"}
edges: [question -> found, found -> loud, "loud, question -> answer"]
outputs: [answer]
fit: {steps: 2, save_every: 1, batch_size: 4, learning_rate: 0.1}
"""
PLUGIN = """
from pathlib import Path

def shout(texts: list[str]) -> str:
    with Path(__file__).with_name("calls").open("a") as file:
        file.write("x")
    return " ".join(texts).upper()

def exact(trace):
    return float(trace.output() == trace.extra["want"])
"""
OBJECTS = """
from sysgraph import Scorer, Tool

shout = Tool("shout", lambda texts: " ".join(texts).upper())
long = Scorer("long", lambda traces: [len(trace.output()) for trace in traces], perfect=5)
"""
TEXTS = ["The auk is a bird that swims.", "Basalt is a dark rock.", "An otter swims."]
Run = Callable[..., Done]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    (tmp_path / "docs").mkdir()
    corpus(tmp_path, TEXTS)
    (tmp_path / "rag.yaml").write_text(GRAPH)
    (tmp_path / "my.py").write_text(PLUGIN)
    rows = [{"question": q, "want": w} for q, w in (("swims", "swims"), ("rock", "rock"))]
    none = {"question": "zzz", "want": "cat"}
    (tmp_path / "in.jsonl").write_text("\n".join(map(json.dumps, [*rows, none])))
    monkeypatch.chdir(tmp_path)
    return lambda *words: here([*map(str, words)], monkeypatch, capsys)


def corpus(folder: Path, texts: list[str]) -> None:
    lines = [json.dumps({"id": i, "text": text}) for i, text in enumerate(texts)]
    (folder / "docs" / "auk.jsonl").write_text("\n".join(lines))


def test_the_graph_does_not_lead_to_the_plugin(run: Run) -> None:
    missing = run("check", "rag.yaml")
    assert missing.code == 2
    assert "error[SG310]: unknown tool `shout`" in missing.out
    assert "`--plugin my_tools.py`" in missing.out
    assert run("check", "rag.yaml", "--plugin", "my.py") == (0, "rag.yaml: ok\n", "")
    assert "computed by tool shout" in run("compile", "rag.yaml", "--plugin", "my.py").out
    scorer = ["--inputs", "in.jsonl", "--set", "fit.scorer=./my.py:exact", "--plugin", "my.py"]
    refused = run("eval", "rag.yaml", *scorer)
    assert (refused.code, "no scorer './my.py:exact'" in refused.err) == (2, True)
    assert not Path("calls").exists()


def test_collected_trained_resumed_and_refused(run: Run) -> None:
    plugin = ["--plugin", "./my.py"]
    collect = ["collect", "rag.yaml", "--inputs", "in.jsonl", "--scorer", "./my.py:exact"]
    collect += ["--samples", 4, "-o", "c", *plugin]
    first = run(*collect)
    assert first.code == 0, first.err
    assert "12 traces; 4 without an output" in first.out
    assert Path("calls").read_text() == "xx", "once for each of the two rows that found something"
    assert run(*collect).out == first.out
    trained = run("fit", "rag.yaml", "--data", "c", "-o", "r", *plugin)
    assert trained.code == 0, trained.err
    assert Path("calls").read_text() == "xx", "training has what the rows record"
    Path("r/result.json").unlink()
    resume = ["fit", "r/graph.yaml", "--resume", "-o", "r", *plugin]
    assert run(*resume).code == 0
    Path("r/result.json").unlink()

    corpus(Path(), [*TEXTS, "A lynx is a cat."])
    for command in (collect, resume, ["fit", "rag.yaml", "--data", "c", "--resume", "-o", "r"]):
        done = run(*command, *([] if command[-1] in plugin else plugin))
        assert done.code == 2
        assert "found.files.corpus was " in done.err or "reads other files than" in done.err
    warned = run("run", "rag.yaml", "--model-dir", "r", "--input", "question=lynx", *plugin)
    assert "warning: the system in r was another when trained: found.files" in warned.err
    assert warned.code == 0

    corpus(Path(), TEXTS)
    record = json.loads(Path("r/tools.json").read_text())
    secret = Path("secret.jsonl").absolute()
    secret.write_text('{"text": "secret"}')
    record["folder"] = str(secret.parent.parent)
    Path("r/tools.json").write_text(json.dumps(record))
    where = f"nodes.found.settings.corpus={secret.parent.name}/secret.jsonl"
    stolen = run("run", "r/graph.yaml", "--input", "question=secret", "--set", where, *plugin)
    assert (stolen.code, "reads other files than" in stolen.err) == (2, True)


def test_tools_and_scorers_that_are_objects(run: Run) -> None:
    Path("objects.py").write_text(OBJECTS)
    words = ["--plugin", "objects.py", "--scorer", "./objects.py:long", "--format", "json"]
    found = json.loads(run("eval", "rag.yaml", "--inputs", "in.jsonl", *words).out)
    assert found["score"]["n"] == 2
    assert found["perfect"] is not None


@pytest.mark.parametrize(
    ("content", "option", "said"),
    [
        (None, "no.py", "cannot load 'no.py': there is no such file"),
        ("x", "my.txt", "expected a Python file"),
        ("import sysgraph\n\nraise OSError('disk')", "own.py", "line 3: OSError: disk"),
        ("def f(:", "own.py", "line 1: SyntaxError"),
        ("import json\nX = 3", "own.py", "own.py has no tool: define a function"),
    ],
)
def test_a_plugin_that_is_none(content: str | None, option: str, said: str, run: Run) -> None:
    if content is not None:
        Path(option).write_text(content)
    done = run("run", "rag.yaml", "--input", "question=x", "--plugin", option)
    assert (done.code, said in done.err) == (2, True), done.err
    options = ["--inputs", "in.jsonl", "-o", "c", "--plugin", "my.py"]
    named = run("collect", "rag.yaml", *options, "--scorer", "./my.py:exakt")
    assert (named.code, "did you mean `exact`?" in named.err) == (2, True), named.err
    assert not Path("c").exists()


def test_functions_in_python(run: Run, tmp_path: Path) -> None:
    tools = {"shout": lambda texts: " ".join(texts)}
    found = sysgraph.collect(
        tmp_path / "rag.yaml", [{"question": "rock"}], output=tmp_path / "c", samples=8,
        scorer=lambda trace: float(trace.output() == "rock"), tools=tools,
        reporter=Reporter(shown=False),
    )  # fmt: skip
    run_ = sysgraph.fit(
        tmp_path / "rag.yaml", data=found.file, output=tmp_path / "r", tools=tools,
        reporter=Reporter(shown=False),
    )  # fmt: skip
    program = sysgraph.compile(sysgraph.load(tmp_path / "rag.yaml"), tools=tools)
    system = sysgraph.System(program, model_dir=run_.folder)
    assert system.sample({"question": "rock"})[0]["loud"] == "Basalt is a dark rock."
    with pytest.raises(InputError, match=r"no sysgraph.Tool and no function"):
        sysgraph.System(program, tools={"shout": 3})


def test_an_interrupted_run_says_what_it_goes_on_with(run: Run, tmp_path: Path) -> None:
    stop = """
import os, signal

def stop(trace):
    if not os.path.exists("stopped"):
        open("stopped", "w").close()
        os.kill(os.getpid(), signal.SIGINT)
    return float(len(trace.output()))
"""
    (tmp_path / "stop.py").write_text(stop)
    rounds = ["--set", "fit.rounds=1", "--set", "fit.inputs=in.jsonl", "--set", "fit.samples=2"]
    bound = ["--scorer", "stop.py:stop", "--plugin", "my.py"]
    done = run("fit", "rag.yaml", *bound, *rounds, "-o", "r")
    assert done.code == 1
    command = done.err.rstrip().rpartition("continue with: sysgraph ")[2]
    assert command.endswith("--scorer stop.py:stop --plugin my.py")
    assert run(*command.split()).code == 0
