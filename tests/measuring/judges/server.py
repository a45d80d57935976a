"""A local server that answers like OpenAI's completions, as each test wants it to."""

import contextlib
import json
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

KEY = "sk-very-secret-0123456789"


@dataclass
class Answer:
    """An HTTP response; `text` as the model's reply, or `body` as it stands."""

    text: str | None = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: str | None = None

    def content(self, path: str = "/chat/completions") -> bytes:
        if self.body is not None:
            return self.body.encode()
        if self.status != 200:
            return json.dumps({"error": {"message": self.text, "type": "t"}}).encode()
        message = {"role": "assistant", "content": self.text}
        said = {"message": message} if path.endswith("chat/completions") else {"text": self.text}
        choice = {"index": 0, "finish_reason": "stop", **said}
        reply = {"id": "1", "object": "chat.completion", "created": 1, "model": "m"}
        return json.dumps({**reply, "choices": [choice]}).encode()


@dataclass(frozen=True)
class Asked:
    """A request as the server got it."""

    body: dict[str, Any]
    authorization: str | None
    path: str = ""
    headers: dict[str, str] = field(default_factory=dict)

    def _part(self, name: str) -> str:
        (text,) = re.findall(
            rf"^=+ {name}\n(.*?)\n=+ ",
            self.body["messages"][0]["content"],
            re.DOTALL | re.MULTILINE,
        )
        return str(text)

    @property
    def question(self) -> str:
        return self._part("QUESTION")

    @property
    def a(self) -> str:
        return self._part("ANSWER A")

    @property
    def b(self) -> str:
        return self._part("ANSWER B")


@dataclass
class Server:
    url: str
    asked: list[Asked]


@contextlib.contextmanager
def serving(respond: Callable[[Asked], Answer | str]) -> Iterator[Server]:
    """Serves until the block ends. `respond` is called by several threads at once."""
    asked: list[Asked] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            body = json.loads(self.rfile.read(length))
            headers = dict(self.headers.items())
            request = Asked(body, self.headers["Authorization"], self.path, headers)
            assert self.path.endswith(("/v1/chat/completions", "/v1/completions"))
            asked.append(request)
            answer = respond(request)
            answer = Answer(answer) if isinstance(answer, str) else answer
            content = answer.content(self.path)
            with contextlib.suppress(OSError):  # the client may have gone
                self.send_response(answer.status)
                for name, value in {"Content-Type": "application/json", **answer.headers}.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    class Quick(ThreadingHTTPServer):
        daemon_threads = True
        block_on_close = False
        request_queue_size = 64

    server = Quick(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield Server(f"http://127.0.0.1:{server.server_port}/v1", asked)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def better(asked: Asked) -> str:
    """A perfect judge of numbers: the higher one."""
    a, b = float(asked.a), float(asked.b)
    return "A" if a > b else "B" if b > a else "C"
