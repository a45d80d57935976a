"""A server in a thread, and what speaks to it."""

import contextlib
import http.client
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import openai
import uvicorn

import sysgraph
from sysgraph import System
from sysgraph.serving import Limits, Service, app
from sysgraph.serving.server import configured, listening
from sysgraph.support.progress import Reporter

GRAPH = """
name: pair
models:
  drafter: {kind: table, values: [red, blue, green, grey]}
nodes:
  question: {kind: input}
  draft: {kind: lm, model: drafter, prompt: "{{ question }}"}
  answer: {kind: tool, tool: join, args: {question: question, draft: draft}}
edges: ["question -> draft", "question, draft -> answer"]
outputs: [answer]
"""
"""An answer names its question, and the draft that a seed gave it."""


@dataclass
class Gate:
    """The tool `join`: a question that begins with `wait` waits for the gate to open."""

    opened: threading.Event = field(default_factory=threading.Event)
    entered: threading.Event = field(default_factory=threading.Event)
    called: list[str] = field(default_factory=list)

    def join(self, question: str, draft: str) -> str:
        self.called.append(question)
        if question.startswith("wait"):
            self.entered.set()
            assert self.opened.wait(30)
        if question.startswith("fail"):
            raise ValueError("the tool broke")
        return f"{question}: {draft}"


def system(graph: str = GRAPH, gate: Gate | None = None) -> System:
    tools = {"join": (gate or Gate()).join} if "tool: join" in graph else {}
    return System(sysgraph.compile(sysgraph.load(graph), tools=tools), device="cpu")


@dataclass(frozen=True)
class Served:
    """A server: its port, the service behind it, and what answers."""

    port: int
    service: Service
    server: uvicorn.Server

    def client(self, key: str = "none") -> openai.OpenAI:
        return openai.OpenAI(
            base_url=f"http://127.0.0.1:{self.port}/v1", api_key=key, max_retries=0, timeout=30
        )

    def ask(
        self, path: str, body: Any = None, method: str | None = None, **headers: str
    ) -> tuple[int, Any]:
        """The status and the JSON (or the text) that a plain request is answered."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        content = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        if content is not None:
            given = {"Content-Type": "application/json", **given}
        connection.request(method or ("POST" if body is not None else "GET"), path, content, given)
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        kind = answer.headers.get_content_type()
        return answer.status, json.loads(text) if kind == "application/json" else text


@contextlib.contextmanager
def served(found: System, limits: Limits | None = None, **more: Any) -> Iterator[Served]:
    """Serves a system while it is entered; `more` is the application's."""
    service = Service(found, limits, Reporter(shown=False))
    with listening("127.0.0.1", 0) as bound, service:
        server = uvicorn.Server(configured(app(service, **more), 30))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]})
        bound.listen()
        thread.start()
        try:
            yield Served(bound.getsockname()[1], service, server)
        finally:
            server.should_exit = True
            thread.join()


def until(true: Callable[[], bool]) -> None:
    """Waits for what another thread does."""
    while not true():
        time.sleep(0.005)
