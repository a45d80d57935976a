"""Servers that fail, refuse or mean harm; commands that are given none, or what is none."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from sysgraph import InputError, RunError, System
from sysgraph.cli import main
from sysgraph.engines import Draw, Refused
from sysgraph.engines.endpoint.replies import Reply
from sysgraph.support.addresses import parse

from ...measuring.judges.server import KEY, Answer, Asked, serving

Build = Callable[..., System]
SOON = {"retry-after-ms": "1"}


class Done(NamedTuple):
    code: int
    out: str
    err: str


Command = Callable[..., Done]


@pytest.fixture
def command(
    graph: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    """A whole command in this process, beside the graph."""
    monkeypatch.chdir(graph.parent)
    rows = [{"question": f"q{i}"} for i in range(6)]
    (graph.parent / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))

    def run(*arguments: str) -> Done:
        monkeypatch.setattr("sys.argv", ["sysgraph", *arguments])
        with pytest.raises(SystemExit) as caught:
            main()
        return Done(int(caught.value.code or 0), *capsys.readouterr())

    return run


def draws(count: int) -> list[Draw]:
    return [Draw("bo", f"q{i}", i) for i in range(count)]


@pytest.mark.parametrize("status", [408, 429, 500, 503])
def test_asks_again_until_it_works(status: int, build: Build) -> None:
    seen: dict[str, int] = {}

    def respond(asked: Asked) -> Answer | str:
        seen[asked.body["prompt"]] = seen.get(asked.body["prompt"], 0) + 1
        return "fine" if seen[asked.body["prompt"]] > 2 else Answer("wait", status, SOON)

    with serving(respond) as server:
        assert len(build(url=server.url).draw(draws(3))) == 3
    assert set(seen.values()) == {3}


BROKEN = ["", "null", "<html>busy</html>", '{"choices": []}', '{"choices": [{"text": [1]}]}']
BROKEN += ['{"choices": [{"message": {"content": "of a chat"}}]}', "[" * 200_000]


def test_a_broken_reply_is_asked_again_and_then_is_its_own_rows_end(build: Build) -> None:
    """One row without a text keeps no other from having its own."""
    for body in BROKEN:
        assert Reply.of_text(body.encode()).text is None
    left = {"q1": BROKEN[:3], "q2": BROKEN[3:5]}

    def respond(asked: Asked) -> Answer | str:
        if left.get(asked.body["prompt"]):
            return Answer(body=left[asked.body["prompt"]].pop())
        return Answer("it is filtered\x1b[2J", 400) if asked.body["prompt"] == "q3" else "fine"

    with serving(respond) as server:
        found = build(url=server.url).attempt(draws(5))
        whys = [one.why for one in found if isinstance(one, Refused)]
        assert [isinstance(one, Refused) for one in found] == [False, True, False, True, False]
        assert whys[0].startswith(f"3 replies of {server.url[7:-3]} held no text, the last: ")
        assert f"{server.url[7:-3]} refused it: " in whys[1]
        assert "it is filtered" in whys[1]
        assert "".join(whys).isprintable()
        left["q1"] = BROKEN[4:]
        server.asked.clear()
        build(url=server.url).attempt(draws(5))
        assert {one.body["prompt"] for one in server.asked} == {"q1", "q3"}, "others are kept"


def test_what_answers_nothing_is_not_asked_for_all(build: Build) -> None:
    with serving(lambda asked: Answer("unknown field", 400)) as server:
        with pytest.raises(RunError, match=r"model 'bo': none of \d+ requests got a text.*unknown"):
            build(url=server.url).draw(draws(500))
        assert len(server.asked) < 100
    with (
        serving(lambda asked: Answer("no such model", 404)) as server,
        pytest.raises(RunError, match=r"no such model.*is the address right, up to /v1"),
    ):
        build(url=server.url).draw(draws(1))


def test_a_redirect_is_not_followed(build: Build) -> None:
    with serving(lambda asked: "theirs") as other:
        away = Answer("gone", 307, {"Location": f"{other.url}/completions"})
        with serving(lambda asked: away) as server, pytest.raises(RunError) as caught:
            build(bo=server.url, url=server.url).draw(draws(1))
    assert other.asked == []
    assert "set --endpoint bo to the address that answers" in str(caught.value)


def test_a_collection_that_is_stopped_asks_for_what_is_open(
    command: Command, graph: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that dies midway, and one with another key: nothing of it is left anywhere."""
    monkeypatch.setenv("SYSGRAPH_API_KEY", KEY)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-the-judge-0123")
    monkeypatch.setattr("sysgraph.engines.endpoint.client._RETRIES", 1)
    dead = {"after": 20}

    def respond(asked: Asked) -> Answer | str:
        if len(server.asked) > dead["after"]:
            return Answer(f"dying, {asked.authorization}", 503, SOON)
        return f"text {asked.body['seed']}"

    arguments = ["collect", "g.yaml", "--inputs", "in.jsonl", "--judge", "openai:m", "-o", "out"]
    with serving(respond) as server, serving(lambda asked: "A" if yes(asked) else "B") as judge:
        monkeypatch.setenv("OPENAI_BASE_URL", judge.url)
        arguments += ["--endpoint", server.url]
        stopped = command(*arguments)
        assert stopped.code == 1
        assert "dying, Bearer [key]" in stopped.err
        assert "of the 48 texts that were asked for came, and are kept" in stopped.err
        assert not (graph.parent / "out").exists()
        kept = sum(len(f.read_text().splitlines()) - 1 for f in caches(graph, "endpoints"))
        assert 0 < kept <= 20
        dead["after"] = 10**6
        server.asked.clear()
        done = command(*arguments)
        assert done.code == 0, done.err
        assert len(server.asked) == 48 - kept
        pairs = [json.loads(line) for line in (graph.parent / "out" / "pairs.jsonl").open()]
        assert all((p["chosen"]["answer"], p["rejected"]["answer"]) == ("yes", "no") for p in pairs)
        assert done.out == f"out/pairs.jsonl: {len(pairs)} pairs from 24 traces\n"
        again = len(server.asked), len(judge.asked)
        assert command(*arguments).out == done.out
        assert (len(server.asked), len(judge.asked)) == again
        trained = command("fit", "g.yaml", "--data", "out", "-o", "run")
        assert trained.code == 0, trained.err
    for file in graph.parent.rglob("*"):
        assert file.is_dir() or b"sk-" not in file.read_bytes(), file
    assert "sk-" not in stopped.err + done.err + done.out + trained.err + trained.out


def yes(asked: Asked) -> bool:
    return asked.a == "yes"


def caches(graph: Path, what: str) -> list[Path]:
    return [*(graph.parent / "cache" / what).glob("*.jsonl")]


@pytest.mark.parametrize(
    ("endpoint", "said"),
    [
        ([], "model 'ada' runs on a server, and nothing says where: give --endpoint ada=http"),
        (["--endpoint", "adda=http://x/v1"], "did you mean `ada`?"),
        (["--endpoint", "ada=http://x/v1", "--endpoint", "ada=http://x/v1"], "is given twice"),
        (["--endpoint", "localhost:8000"], "--endpoint: expected an address like http://local"),
        (["--endpoint", f"ada=http://u:{KEY}@x/v1"], "without user, password or query"),
        (["--endpoint", f"http://x/v1?key={KEY}"], "without user, password or query"),
        (["--endpoint", "file:///etc/passwd"], "expected an address"),
        (["--endpoint", "http://x:99999/v1"], "expected an address"),
    ],
)
def test_wrong_addresses_start_nothing(
    endpoint: list[str], said: str, command: Command, graph: Path
) -> None:
    for name in ("run", "collect"):
        more = ["--input", "question=x"] if name == "run" else ["--inputs", "in.jsonl"]
        more += ["--scorer", "attributes", "-o", "out"] if name == "collect" else []
        done = command(name, "g.yaml", *more, *endpoint)
        assert (done.code, done.out) == (2, "")
        assert said in done.err
        assert KEY not in done.err
    assert not (graph.parent / "out").exists()


def test_addresses_in_the_environment_and_keys_that_are_none(
    monkeypatch: pytest.MonkeyPatch, build: Build
) -> None:
    assert parse([["http://h/v1", "a=b"][0], "a_1=https://h:1/x"]) == {
        "": "http://h/v1",
        "a_1": "https://h:1/x",
    }
    monkeypatch.setenv("SYSGRAPH_ENDPOINT", "nonsense")
    with pytest.raises(InputError, match=r"^SYSGRAPH_ENDPOINT: expected an address"):
        build().draw(draws(1))
    monkeypatch.setenv("SYSGRAPH_ENDPOINT", "http://127.0.0.1:9/v1")
    monkeypatch.setenv("SYSGRAPH_API_KEY", f"{KEY}\n")
    with pytest.raises(InputError, match="SYSGRAPH_API_KEY: expected letters") as caught:
        build().draw(draws(1))
    assert KEY not in str(caught.value)


def test_a_graph_can_not_say_where(graph: Path, command: Command) -> None:
    for key in ("url", "base_url", "api_key", "address"):
        text = graph.read_text().replace("id: bo", f"id: bo, {key}: http://theirs/v1")
        (graph.parent / "bad.yaml").write_text(text)
        done = command("check", "bad.yaml")
        assert done.code == 2
        assert "SG101" in done.out


def test_without_openai(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "openai", None)
    with pytest.raises(InputError, match=r'pip install "sysgraph\[endpoint\]"'):
        build(url="http://127.0.0.1:9/v1").draw(draws(1))
