"""What clients send of themselves is no reason to refuse them; what was ignored is said."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import sysgraph
from sysgraph import System

from .serving import Served, served, system

SYSTEM, USER = {"role": "system", "content": "Be short."}, {"role": "user", "content": "what ?"}
SAMPLING = "the graph says how its models sample"
LENGTH = "the graph says how long its texts may be"
LAST = "only the last one is read: this system's prompts are in its graph"


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    with served(system()) as found:
        yield found


@pytest.mark.parametrize(
    ("sent", "ignored"),
    [
        (  # as the openai client and LiteLLM fill in what they know
            {
                "messages": [USER],
                "temperature": 1.0,
                "top_p": 1,
                "stop": None,
                "tools": [],
                "response_format": {"type": "text"},
                "stream_options": {"include_usage": True},
                "user": "me",
                "service_tier": "flex",
                "store": True,
                "metadata": {"a": "b"},
            },
            None,
        ),
        (  # LangChain
            {"messages": [SYSTEM, USER], "temperature": 0.7, "max_completion_tokens": 256},
            {"messages": LAST, "temperature": SAMPLING, "max_completion_tokens": LENGTH},
        ),
        (  # Open WebUI
            {
                "messages": [
                    {"role": "developer", "content": "Be short."},
                    {"role": "user", "content": "a", "name": "b"},
                    {"role": "assistant", "content": None, "tool_calls": [{}]},
                    {"role": "tool", "content": "c", "tool_call_id": "d"},
                    USER,
                ],
                "max_tokens": 1,
                "top_k": 40,
                "min_p": 0.05,
                "frequency_penalty": 0.0,
                "presence_penalty": 0.5,
            },
            {
                "messages": LAST,
                "max_tokens": LENGTH,
                "top_k": SAMPLING,
                "min_p": SAMPLING,
                "presence_penalty": SAMPLING,
            },
        ),
    ],
)
def test_what_the_graph_fixes_is_ignored_and_said(
    server: Served, sent: dict[str, Any], ignored: dict[str, str] | None
) -> None:
    status, answer = server.ask("/v1/chat/completions", {"model": "pair", "seed": 3, **sent})
    assert status == 200, answer
    wanted = system().sample({"question": "what ?"}, seed=3)[0]["answer"]
    assert answer["choices"][0]["message"]["content"] == wanted
    assert answer["sysgraph"] == {"seed": 3} | ({} if ignored is None else {"ignored": ignored})
    streamed = {"model": "pair", "seed": 3, **sent, "stream": True}
    _, events = server.ask("/v1/chat/completions", streamed)
    assert ('"ignored"' in events) == (ignored is not None)


def test_a_wrong_address_is_told_the_right_one(server: Served) -> None:
    for path in ("/chat/completions", "/v1/responses", f"/{'x' * 9000}"):
        status, answer = server.ask(path, {"model": "pair", "messages": [USER]})
        assert status == 404
        assert len(answer["error"]["message"]) < 5000
        said = f"POST {path}: there is nothing here; POST /v1/chat/completions answers, where a"
        assert answer["error"]["message"].startswith(said[:4000])


CALLER = """
name: caller
models:
  served: {kind: endpoint, id: pair, max_new_tokens: 8, temperature: 0.5, top_p: 0.9}
nodes:
  question: {kind: input}
  draft:
    kind: lm
    model: served
    messages: [{role: system, content: Be short.}, {role: user, content: "{{ question }}"}]
edges: [question -> draft]
outputs: [draft]
"""


def test_a_graph_calls_another_one_as_its_model(
    server: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SYSGRAPH_CACHE", str(tmp_path))
    url = f"http://127.0.0.1:{server.port}/v1"
    program = sysgraph.compile(sysgraph.load(CALLER))
    found = System(program, device="cpu", endpoints={"": url})
    texts = {str(trace["draft"]) for trace in found.sample({"question": "hi"}, 16, seed=1)}
    drafts = ("red", "blue", "green", "grey")
    assert texts <= {f"hi: {draft}" for draft in drafts}
    assert len(texts) > 1  # each with a seed of its own
