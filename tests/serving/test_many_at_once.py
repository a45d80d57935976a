"""Many requests at once: none is lost, none gets another's answer, a failing one fails alone."""

import asyncio
import socket
import threading
from pathlib import Path
from typing import Any

import openai
import pytest
import torch

import sysgraph
from sysgraph import System
from sysgraph.serving import Limits, Service
from sysgraph.serving.asked import Asked
from sysgraph.support.progress import Reporter

from .serving import Gate, Served, served, system, until


def post(server: Served, question: str, **more: Any) -> tuple[int, Any]:
    messages = [{"role": "user", "content": question}]
    return server.ask("/v1/chat/completions", {"messages": messages, "seed": 3, **more})


def test_200_requests_16_at_a_time() -> None:
    async def all_of_them(port: int) -> list[Any]:
        few = asyncio.Semaphore(16)
        url = f"http://127.0.0.1:{port}/v1"
        async with openai.AsyncOpenAI(base_url=url, api_key="none", max_retries=0) as client:

            async def one(number: int) -> Any:
                async with few:
                    return await client.chat.completions.create(
                        model="pair",
                        messages=[{"role": "user", "content": f"question {number % 190}"}],
                        n=1 + number % 3,
                        seed=number // 7,
                    )

            return await asyncio.gather(*map(one, range(200)))

    with served(system()) as server:
        found = asyncio.run(all_of_them(server.port))
        batches = server.service.meters.text().decode()
    alone = system()
    for number, answer in enumerate(found):
        inputs = {"question": f"question {number % 190}"}
        wanted = alone.sample(inputs, 1 + number % 3, seed=number // 7)
        assert [c.message.content for c in answer.choices] == [t["answer"] for t in wanted]
    assert len({answer.id for answer in found}) == 200
    rows = sum(1 + number % 3 for number in range(200))
    assert f"sysgraph_batch_answers_sum {float(rows)}" in batches
    assert 'sysgraph_batch_answers_bucket{le="1.0"} 200.0' not in batches


def test_what_fails_fails_alone_and_what_is_given_up_is_not_begun() -> None:
    gate = Gate()
    limits = Limits(waiting=4, batch=3)
    with served(system(gate=gate), limits) as server:
        found: dict[str, tuple[int, Any]] = {}

        def ask(question: str) -> threading.Thread:
            def note() -> None:
                found[question] = post(server, question)

            thread = threading.Thread(target=note)
            thread.start()
            return thread

        first = ask("wait")
        assert gate.entered.wait(30)
        gone = [leaving(server, question) for question in ("gone 1", "gone 2")]
        until(lambda: server.service.waiting == 2)
        others = [ask("fail")]
        until(lambda: server.service.waiting == 3)
        others.append(ask("right"))
        until(lambda: server.service.waiting == 4)
        status, answer = post(server, "too many")
        assert (status, answer["error"]["code"]) == (429, "too_many_requests")
        with server.client() as client, pytest.raises(openai.RateLimitError) as caught:
            client.chat.completions.create(
                model="pair", messages=[{"role": "user", "content": "too many"}]
            )
        assert int(caught.value.response.headers["Retry-After"]) >= 1
        for connection in gone:
            connection.close()
        until(lambda: server.service.waiting == 2)
        gate.opened.set()
        for thread in (first, *others):
            thread.join()
        assert found["wait"][1]["choices"][0]["message"]["content"].startswith("wait: ")
        assert found["right"][1]["choices"][0]["message"]["content"].startswith("right: ")
        status, answer = found["fail"]
        assert status == 422
        assert "the tool broke" in answer["error"]["message"]
        assert gate.called == ["wait", "fail", "right"]
        assert "sysgraph_given_up_requests_total 2.0" in server.ask("/metrics")[1]


BROKEN = """
name: broken
models:
  m: {kind: table, contexts: [good, bad], values: [yes, no]}
nodes:
  question: {kind: input}
  answer: {kind: lm, model: m, prompt: "{{ question }}"}
edges: [question -> answer]
outputs: [answer]
"""


def test_a_model_that_fails_on_one_of_a_batch_answers_the_others() -> None:
    found = system(BROKEN)
    found.parameters("m")["logits"].data[1] = torch.nan
    answers = list[Any]()
    service = Service(found, reporter=Reporter(shown=False))
    for question in ("good", "bad", "good"):
        service.submit(Asked({"question": question}, 1, 3), answers.append)
    with service:  # it finds them all waiting
        until(lambda: len(answers) == 3)
    wanted = found.sample({"question": "good"}, seed=3)
    assert [answers[0].traces, answers[2].traces] == [wanted, wanted]
    assert answers[1].error.status == 422
    assert "are NaN" in answers[1].error.message


HOSTED = """
name: hosted
models:
  ada: {kind: endpoint, id: org/ada}
nodes:
  question: {kind: input}
  answer: {kind: lm, model: ada, prompt: "{{ question }}"}
edges: [question -> answer]
outputs: [answer]
"""


def test_a_models_server_that_is_away_is_told_without_its_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SYSGRAPH_CACHE", str(tmp_path))
    program = sysgraph.compile(sysgraph.load(HOSTED))
    found = System(program, device="cpu", endpoints={"": "http://127.0.0.1:1/v1"})
    answers = list[Any]()
    with Service(found, reporter=Reporter()) as service:
        service.submit(Asked({"question": "?"}, 1, 3), answers.append)
        until(lambda: bool(answers))
    assert answers[0].error.status == 502
    assert "127.0.0.1" not in answers[0].error.message
    assert "model 'ada' at 127.0.0.1:1: " in capsys.readouterr().err


def leaving(server: Served, question: str) -> socket.socket:
    """A client that has asked for a stream, and may go away."""
    body = f'{{"stream": true, "messages": [{{"role": "user", "content": "{question}"}}]}}'
    connection = asking(server, body, len(body))
    assert b"200 OK" in connection.recv(1000)
    return connection


def asking(server: Served, body: str, length: int) -> socket.socket:
    head = "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    connection = socket.create_connection(("127.0.0.1", server.port))
    connection.sendall(f"{head}Content-Length: {length}\r\n\r\n{body}".encode())
    return connection


def test_a_stream_is_kept_alive_while_nothing_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sysgraph.serving.following.KEEP_ALIVE", 0.01)
    gate = Gate()
    with served(system(gate=gate)) as server, leaving(server, "wait") as stream:
        found = b""
        while found.count(b": still at it\n\n") < 3:
            found += stream.recv(1000)
        gate.opened.set()
        while b"data: [DONE]\n\n" not in found:
            found += stream.recv(1000)


LAYERS = """
name: layers
models:
  drafter: {kind: table, values: [red]}
nodes:
  question: {kind: input}
  draft: {kind: lm, model: drafter, prompt: "{{ question }}"}
  first: {kind: tool, tool: join, args: {question: question, draft: draft}}
  second: {kind: lm, model: drafter, prompt: "{{ first }}"}
  answer: {kind: tool, tool: join, args: {question: first, draft: second}}
edges: ["question -> draft", "question, draft -> first", first -> second, "first, second -> answer"]
outputs: [answer]
"""


def test_a_request_whose_time_is_over_stops_between_nodes() -> None:
    gate = Gate()
    with served(system(LAYERS, gate), Limits(seconds=0.3)) as server:
        status, answer = post(server, "wait")
        assert (status, answer["error"]["code"]) == (504, "timeout")
        with server.client() as client, pytest.raises(openai.APIError, match=r"after 0\.3 seconds"):
            list(
                client.chat.completions.create(
                    model="layers", messages=[{"role": "user", "content": "w"}], stream=True
                )
            )
        with asking(server, "{", length=9) as slow:  # the rest never comes
            assert slow.recv(1000).startswith(b"HTTP/1.1 408 ")
        server.service.limits = Limits()
        gate.opened.set()
        assert post(server, "then")[0] == 200
    assert gate.called == ["wait", "then", "then: red"]
