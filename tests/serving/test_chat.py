"""Chat completions by the `openai` client, against what the system itself samples."""

import json
import re
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from openai.types.chat import ChatCompletionMessageParam

from sysgraph import System

from .serving import Served, served, system

QUESTION: list[ChatCompletionMessageParam] = [{"role": "user", "content": "what is zor ?"}]
VALUES = {"sysgraph": {"values": True}}


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    with served(system()) as found:
        yield found


@pytest.fixture
def client(server: Served) -> Iterator[openai.OpenAI]:
    with server.client() as found:
        yield found


def drawn(found: System, question: str, n: int, seed: int) -> list[str]:
    return [str(trace["answer"]) for trace in found.sample({"question": question}, n, seed)]


def own(found: Any) -> Any:
    return (found.model_extra or {})["sysgraph"]


def test_answers_are_the_systems_own_by_seed(client: openai.OpenAI) -> None:
    found = client.chat.completions.create(
        model="pair", messages=QUESTION, n=8, seed=5, extra_body=VALUES, temperature=1, user="me"
    )
    wanted = drawn(system(), "what is zor ?", 8, 5)
    assert [choice.message.content for choice in found.choices] == wanted
    assert len({*wanted}) > 2
    assert [choice.index for choice in found.choices] == [*range(8)]
    assert {choice.finish_reason for choice in found.choices} == {"stop"}
    assert own(found)["seed"] == 5
    assert own(found)["inputs"] == {"question": "what is zor ?"}
    drafts = [values["draft"] for values in own(found)["values"]]
    assert [f"what is zor ?: {draft}" for draft in drafts] == wanted


def test_a_drawn_seed_is_told_and_gives_the_answer_again(client: openai.OpenAI) -> None:
    first = client.chat.completions.create(model="pair", messages=QUESTION, n=8)
    again = client.chat.completions.create(
        model="pair", messages=QUESTION, n=8, seed=own(first)["seed"]
    )
    assert again.choices == first.choices
    assert again.id != first.id
    other = client.chat.completions.create(model="pair", messages=QUESTION, n=8)
    assert own(other)["seed"] != own(first)["seed"]


def test_a_stream_gives_the_same_in_parts(client: openai.OpenAI) -> None:
    whole = client.chat.completions.create(model="pair", messages=QUESTION, n=2, seed=5)
    parts = [
        *client.chat.completions.create(
            model="pair",
            messages=QUESTION,
            n=2,
            seed=5,
            stream=True,
            stream_options={"include_usage": True},
            extra_body=VALUES,
        )
    ]
    texts, ends = ["", ""], ["", ""]
    for part in parts:
        for choice in part.choices:
            texts[choice.index] += choice.delta.content or ""
            ends[choice.index] = choice.finish_reason or ""
    assert texts == [choice.message.content for choice in whole.choices]
    assert ends == ["stop", "stop"]
    assert parts[-1].usage == whole.usage
    assert not parts[-1].choices
    said = [own(part) for part in parts if "sysgraph" in (part.model_extra or {})]
    drafts = [one["values"]["draft"] for one in said if one.get("index") == 1]
    assert drafts == [None, said[-1]["values"][1]["draft"]]  # as each layer came to be
    assert said[-1]["seed"] == 5
    assert {part.id for part in parts} == {parts[0].id}


MANY = """
name: many
models:
  m: {kind: table, values: ["1"]}
  t: {kind: table, values: ["x|y"]}
parsers:
  bars: {kind: split, separator: "|"}
nodes:
  a: {kind: input}
  talk: {kind: input, type: messages}
  b: {kind: lm, model: m, messages: [{insert: talk}, {role: user, content: "{{ a }}"}]}
  c: {kind: lm, model: t, prompt: "{{ a }}"}
  d: {kind: parse, parser: bars}
edges: ["a, talk -> b", a -> c, c -> d]
outputs: [b, d]
"""


def test_several_inputs_and_outputs_are_json(client: openai.OpenAI) -> None:
    talk = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "ho"}]
    with served(system(MANY)) as found, found.client() as many:
        answer = many.chat.completions.create(
            model="many", messages=[], extra_body={"inputs": {"a": "é", "talk": talk}, **VALUES}
        )
        with pytest.raises(openai.BadRequestError, match="the inputs a, talk: give them beside"):
            many.chat.completions.create(model="many", messages=QUESTION)
        wrong = {"inputs": {"a": "", "talk": [{"role": "x", "content": ""}]}}
        with pytest.raises(openai.BadRequestError, match=r"inputs.talk: .*the role is 'x'"):
            many.chat.completions.create(model="many", messages=[], extra_body=wrong)
    assert json.loads(answer.choices[0].message.content or "") == {"b": "1", "d": ["x", "y"]}
    assert own(answer)["inputs"] == {"a": "é", "talk": talk}
    assert own(answer)["values"] == [{"b": "1", "c": "x|y", "d": ["x", "y"]}]


TALK = """
name: talk
models: {m: {kind: table, values: [well]}}
nodes:
  talk: {kind: input, type: messages}
  answer: {kind: lm, model: m, messages: [{insert: talk}]}
edges: [talk -> answer]
outputs: [answer]
"""


def test_an_input_of_messages_takes_the_whole_talk() -> None:
    turns: list[Any] = [{"role": "system", "content": "Be short."}, *QUESTION]
    with served(system(TALK)) as found, found.client() as client:
        answer = client.chat.completions.create(model="talk", messages=turns, extra_body=VALUES)
    assert own(answer)["inputs"] == {"talk": turns}


def test_a_text_may_come_in_parts_and_after_a_talk(client: openai.OpenAI) -> None:
    before: list[Any] = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
    parts: Any = [{"type": "text", "text": "what is"}, {"type": "text", "text": "zor ?"}]
    turns = [*before, {"role": "user", "content": parts}]
    found = client.chat.completions.create(model="pair", messages=turns, seed=1)
    assert found.choices[0].message.content == drawn(system(), "what is\nzor ?", 1, 1)[0]


@pytest.mark.parametrize(
    ("body", "status", "param", "said"),
    [
        (b"{", 400, None, "no JSON"),
        (b"[" * 100_000, 400, None, "no JSON"),
        ([], 400, None, "no JSON object"),
        ({}, 400, "messages", 'the last one, {"role": "user"'),
        ({"messages": QUESTION, "model": "gpt"}, 404, "model", "no model 'gpt' .* 'pair'"),
        ({"messages": [{"role": "user"}]}, 400, "messages", "a content is a text"),
        ({"messages": [*QUESTION, {"role": "assistant", "content": "a"}]}, 400, "messages", "last"),
        ({"messages": [{"role": "user", "content": "\ud800"}]}, 400, None, "half of a character"),
        ({"messages": "x"}, 400, "messages", "list"),
        ({"messages": [{}] * 99}, 400, "messages.0.role", "messages.9.role: .*; and 79 more$"),
        ({"messages": QUESTION, "n": 0}, 400, "n", "greater than or equal to 1"),
        ({"messages": QUESTION, "n": 17}, 400, "n", "at most 16"),
        ({"messages": QUESTION, "n": True}, 400, "n", "integer"),
        ({"messages": QUESTION, "seed": 1.5}, 400, "seed", "integer"),
        ({"messages": QUESTION, "seed": 2**63}, 400, "seed", "less than 9223372036854775808"),
        (
            {"messages": QUESTION, "stop": ["a"], "top_m": 3, "top_k": 3},
            400,
            "stop",
            "stop: a system answers as its graph says; .*; 'top_m': no field [^;]*$",
        ),
        ({"messages": QUESTION, "tools": [{}]}, 400, "tools", "as its graph says"),
        ({"messages": QUESTION, "x" * 5000: 1}, 400, "x" * 80 + " ...", "^'x{79}: no field"),
        ({"inputs": {"x" * 5000 + "\ud800": ""}}, 400, "inputs", r"x{3000} \.\.\.$"),
        ({"inputs": {"\ud800\x1b": ""}}, 400, "inputs", r"^inputs\.\\ud800\\u001b: the graph"),
        ({"inputs": {"qestion": "x"}}, 400, "inputs", "question: missing; .*'qestion' a misspell"),
        ({"inputs": {"question": 3}}, 400, "inputs", "expected a text, got 3"),
        ({"messages": QUESTION, "sysgraph": {"x": 1}}, 400, "sysgraph.x", "not permitted"),
        ({"messages": [{"role": "user", "content": "fail"}]}, 422, None, "the tool broke"),
    ],
)
def test_what_is_wrong_is_said(
    server: Served, body: Any, status: int, param: str | None, said: str
) -> None:
    found, answer = server.ask("/v1/chat/completions", body)
    assert (found, answer["error"]["param"]) == (status, param), answer
    assert re.search(said, answer["error"]["message"]), answer
    assert answer["error"]["type"] in ("invalid_request_error", "not_found_error", "answer_error")


def test_a_stream_that_fails_says_so(client: openai.OpenAI) -> None:
    failing: list[ChatCompletionMessageParam] = [{"role": "user", "content": "fail"}]
    with pytest.raises(openai.APIError, match="the tool broke"):
        list(client.chat.completions.create(model="pair", messages=failing, stream=True))


def test_models_and_health(client: openai.OpenAI, server: Served) -> None:
    (model,) = client.models.list().data
    assert (model.id, model.owned_by) == ("pair", "sysgraph")
    assert client.models.retrieve("pair") == model
    assert own(model)["inputs"] == [{"name": "question", "type": "text"}]
    with pytest.raises(openai.NotFoundError, match="no model 'org/x'"):
        client.models.retrieve("org/x")
    assert server.ask("/health") == (200, {"status": "ok", "waiting": 0})
    assert server.ask("/nowhere")[0] == 404
    status, answer = server.ask("/health", {})
    assert (status, answer["error"]["message"]) == (
        405,
        "POST /health: this path takes other methods",
    )
    status, metrics = server.ask("/metrics")
    assert 'sysgraph_requests_total{route="/v1/models/{model:path}",status="404"} 1.0' in metrics
    assert "sysgraph_waiting_requests 0.0" in metrics
