"""Deploy, gather, fit again: what people rate up over HTTP gets likelier."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

import sysgraph
from sysgraph import Completion, System, Trace
from sysgraph.serving import Service, app
from sysgraph.serving.log import Log
from sysgraph.support.progress import Reporter
from sysgraph.system.weights import weights_of
from sysgraph.training.from_log import collect_from_log

from ..cli.test_run import here

GRAPH = """
sysgraph: 1
name: pair
models:
  drafter: {kind: table, values: [red, blue]}
  editor: {kind: table, values: [round, square, none], contexts: [red, blue]}
parsers: {shape: {kind: regex, pattern: "round|square", on_failure: reject}}
nodes:
  question: {kind: input}
  draft: {kind: lm, model: drafter, prompt: "{{ question }}"}
  raw: {kind: lm, model: editor, prompt: "{{ draft }}"}
  answer: {kind: parse, parser: shape}
edges: [question -> draft, draft -> raw, raw -> answer]
outputs: [answer]
fit: {steps: 20, learning_rate: 0.3, batch_size: 4, eval_fraction: 0}
"""
PROGRAM = sysgraph.compile(sysgraph.load(GRAPH))
QUIET = Reporter(shown=False)
SHAPES = ("round", "square", "none")


@pytest.fixture
def system() -> System:
    return System(PROGRAM, device="cpu")


@contextmanager
def served(system: System, folder: Path) -> Iterator[TestClient]:
    with (
        Log.opened(PROGRAM, folder, QUIET) as log,
        Service(system, reporter=QUIET) as service,
        TestClient(app(service, log)) as found,
    ):
        log.answered_by(weights_of(system, trained=True))
        yield found


def ask(client: TestClient, **more: Any) -> Any:
    messages = [{"role": "user", "content": "what is it?"}]
    return client.post("/v1/chat/completions", json={"messages": messages, **more}).json()


def rate(client: TestClient, **said: Any) -> tuple[int, Any]:
    found = client.post("/v1/feedback", json=said)
    return found.status_code, found.json()


def chance(system: System, shape: str) -> float:
    """Of an answer, over both drafts."""
    values = [{"draft": Completion(d), "raw": Completion(shape)} for d in ("red", "blue")]
    traces = [Trace({"question": "what is it?"}, v, PROGRAM.outputs) for v in values]
    log_prob = system.log_prob(traces)
    return float((log_prob["draft"] + log_prob["raw"]).exp().sum().detach())


def test_what_is_rated_up_gets_likelier(system: System, tmp_path: Path) -> None:
    log, pairs = tmp_path / "log", tmp_path / "pairs"
    with served(system, log) as client:
        answers = [ask(client, n=4, seed=seed) for seed in range(6)]
        corrections = sum(rated(client, one, down=k % 2 == 0) for k, one in enumerate(answers))
    found = collect_from_log(GRAPH, log, output=pairs)
    rows = [json.loads(line) for line in (pairs / "pairs.jsonl").read_text().splitlines()]
    assert (found.answers, found.pairs, found.policies) == (6, len(rows), 1)
    assert {row["chosen"]["answer"] for row in rows} == {"round"}
    assert {row["rejected"]["answer"] for row in rows} == {"square", None}
    corrected = [row for row in rows if row["chosen"]["draft"] is None]
    assert len(corrected) == corrections > 0
    assert all(row["answers"][0] is row["policies"][0] is None for row in corrected)
    assert [chance(system, shape) for shape in SHAPES] == pytest.approx([1 / 3] * 3)
    run = sysgraph.fit(GRAPH, data=pairs, output=tmp_path / "run", reporter=QUIET)
    trained = System(PROGRAM, device="cpu", model_dir=run.folder)
    after = [chance(trained, shape) for shape in SHAPES]
    assert after[0] > 0.6
    assert max(after[1:]) < 0.25
    with served(trained, log) as client:  # whose answers are told from those before
        answer = ask(client, n=3, seed=1)
        assert rate(client, id=answer["id"], ranking=[2, 0])[0] == 200
    assert collect_from_log(GRAPH, log, output=pairs).policies == 2
    traces = (pairs / "traces.jsonl").read_text().splitlines()
    assert len({json.loads(line)["policy"] for line in traces}) == 2


def rated(client: TestClient, found: Any, *, down: bool) -> int:
    """Rates all choices of an answer, those that are not round down or by correcting them."""
    corrections = 0
    for choice in found["choices"]:
        said = {"id": found["id"], "choice": choice["index"]}
        if choice["message"]["content"] == "round":
            answered = {"object": "feedback", "id": found["id"]}
            assert rate(client, **said, rating="up") == (200, answered)
        elif choice["message"]["content"] == "square" and down:
            assert rate(client, **said, rating="down")[0] == 200
        elif choice["message"]["content"] == "square":
            assert rate(client, **said, correction="round")[0] == 200
            corrections += 1
    return corrections


def test_what_is_refused(system: System, tmp_path: Path) -> None:
    """In the protocol's shape; and the client of the protocol rates with a key like it asks."""
    with served(system, tmp_path / "log") as client:
        found = ask(client, n=2, seed=0)
        up, wrong = {"rating": "up"}, {"correction": "no", "choice": 0}
        for id, said, status, code, why in (
            ("nobody", up, 404, "answer_not_found", "no answer 'nobody'"),
            (found["id"], up, 400, "bad_rating", "choice: missing; this answer has 2"),
            (found["id"], wrong, 400, "bad_rating", "parser 'shape'"),
        ):
            got, body = rate(client, id=id, **said)
            assert (got, body["error"]["code"]) == (status, code)
            assert why in body["error"]["message"]
        for content, status in (("[]", 400), ("{", 400), ('{"id": "' + "x" * 2**20 + '"}', 413)):
            headers = {"content-type": "application/json"}
            got = client.post("/v1/feedback", content=content, headers=headers)
            assert got.status_code == status
            assert got.json()["error"]["type"] == "invalid_request_error"
        assert client.get("/v1/feedback").status_code == 405
    with Service(system, reporter=QUIET) as service, TestClient(app(service)) as client:
        status, body = rate(client, id="x", rating="up")
        assert (status, body["error"]["code"]) == (404, "no_log")


def test_whose_folder_it_is_is_known_before_anything_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("pair.yaml").write_text(GRAPH)
    Path("other").mkdir()
    Path("other/notes.txt").touch()
    before = sorted(tmp_path.rglob("*"))
    for folder in ("other", "pair.yaml"):
        arguments = ["serve", "pair.yaml", "--port", "0", "--log", folder, "--model-dir", "no"]
        done = here(arguments, monkeypatch, capsys)
        assert (done.code, done.out) == (2, "")
        assert done.err == f"error: {folder} exists and holds no log: choose another --log\n"
    done = here([*arguments[:-3], "new", "--model-dir", "no"], monkeypatch, capsys)
    assert done.code == 2
    assert sorted(tmp_path.rglob("*")) == before
