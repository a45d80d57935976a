"""An endpoint that means harm: replies without an end, bombs, other addresses."""

import contextlib
import gzip
import json
import socket
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sysgraph import RunError
from sysgraph.engines.endpoint.http import MAX_REPLY
from sysgraph.measuring.judges import Comparison
from sysgraph.measuring.judges.endpoint import Endpoint

from .asking import ask, some
from .server import KEY, Answer, Asked, Server, better, serving

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n"
VERDICT = b'{"choices": [{"message": {"content": "A"}}]}'


@contextlib.contextmanager
def sending(send: Callable[[socket.socket], None]) -> Iterator[Server]:
    """A server that reads a request and lets `send` write whatever it likes, or hang."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(0.05)
    stop = threading.Event()

    def answer(end: socket.socket) -> None:
        with end, contextlib.suppress(OSError):
            end.recv(1 << 16)
            send(end)

    def accept() -> None:
        while not stop.is_set():
            with contextlib.suppress(TimeoutError):
                threading.Thread(target=answer, args=[listener.accept()[0]], daemon=True).start()

    thread = threading.Thread(target=accept)
    thread.start()
    try:
        yield Server(f"http://127.0.0.1:{listener.getsockname()[1]}/v1", [])
    finally:
        stop.set()
        thread.join()
        listener.close()


def peak() -> int:
    """Most memory that this process ever had, in kilobytes."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(status.partition("VmHWM:")[2].split()[0])


# ---- bytes without an end


def endless(end: socket.socket) -> None:
    end.sendall(HEAD + b"\r\n")
    while True:
        end.sendall(b" " * 65536)


def bomb(end: socket.socket) -> None:
    """A gigabyte of spaces, a thousandth of it on the way, and on and on."""
    pack = zlib.compressobj(9, zlib.DEFLATED, zlib.MAX_WBITS | 16)
    end.sendall(HEAD + b"Content-Encoding: gzip\r\n\r\n")
    while True:
        end.sendall(pack.compress(b" " * (1 << 20)))


def headers(end: socket.socket) -> None:
    end.sendall(b"HTTP/1.1 200 OK\r\n")
    while True:
        end.sendall(b"X-More: " + b"x" * 1000 + b"\r\n")


@pytest.mark.parametrize("send", [endless, bomb, headers])
def test_a_reply_without_an_end(
    send: Callable[[socket.socket], None], at: Callable[..., Endpoint]
) -> None:
    with sending(send) as server:
        judge = at(server, retries=0, workers=1)
        Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")  # the peak begins anew
        before = peak()
        with pytest.raises(RunError):
            ask(judge, some(1))
        assert peak() - before < 100_000


def test_the_longest_reply_is_read(at: Callable[..., Endpoint]) -> None:
    reply = json.dumps({"choices": [{"message": {"content": "A", "reasoning": ""}}]})
    with serving(lambda asked: Answer(body=reply + " " * (MAX_REPLY - len(reply)))) as server:
        assert ask(at(server), some(1)) == ["a"]


# ---- time without an end


def dripping(start: bytes) -> Callable[[socket.socket], None]:
    def send(end: socket.socket) -> None:
        end.sendall(start)
        while True:
            end.sendall(b" ")
            time.sleep(0.05)

    return send


@pytest.mark.parametrize("start", [HEAD + b"\r\n", HEAD + b"X-Slow:", b"HTTP/1.1"])
def test_a_byte_now_and_then_is_too_slow(start: bytes, at: Callable[..., Endpoint]) -> None:
    """Each read is quick."""
    with sending(dripping(start)) as server:
        begun = time.monotonic()
        with pytest.raises(RunError, match=r"timed out.*no whole reply within 0\.4 seconds"):
            ask(at(server, retries=1, timeout=0.4, workers=1), some(1))
        assert time.monotonic() - begun > 0.8


# ---- compression and encodings


@pytest.mark.parametrize(
    ("encoding", "pack"),
    [("gzip", gzip.compress), ("deflate", zlib.compress), ("identity", bytes), ("", bytes)],
)
def test_a_compressed_reply_is_read(
    encoding: str, pack: Callable[[bytes], bytes], at: Callable[..., Endpoint]
) -> None:
    def send(end: socket.socket) -> None:
        end.sendall(HEAD + b"Content-Encoding: " + encoding.encode() + b"\r\n\r\n" + pack(VERDICT))

    with sending(send) as server:
        assert ask(at(server), some(1)) == ["a"]


@pytest.mark.parametrize("encoding", ["gzip", "br", "zstd", "gzip, gzip"])
def test_what_is_not_compressed_as_it_says(encoding: str, at: Callable[..., Endpoint]) -> None:
    def send(end: socket.socket) -> None:
        end.sendall(HEAD + f"Content-Encoding: {encoding}\r\n\r\n".encode() + b"\x00\x01nothing")

    with sending(send) as server, pytest.raises(RunError, match="none of 1 replies was a verdict"):
        ask(at(server), some(1))


CHARSETS = ["zlib", "hex", "utf-7", "undefined", "nosuch", "rot13"]


def test_encodings_of_no_text(at: Callable[..., Endpoint]) -> None:
    kinds = iter(CHARSETS)

    def respond(asked: Asked) -> Answer:
        kind = f"application/json; charset={next(kinds)}"
        return Answer("A" if wanted == 200 else "wrong", wanted, {"Content-Type": kind})

    with serving(respond) as server:
        judge, wanted = at(server, workers=1), 200
        assert ask(judge, some(len(CHARSETS))) == ["a"] * len(CHARSETS)
        kinds, wanted = iter(CHARSETS), 403
        for i in range(len(CHARSETS)):
            with pytest.raises(RunError, match="wrong"):
                ask(judge, [Comparison({"question": str(i)}, "1", "2")])


# ---- JSON

DEEP = '{"choices": [{"message": {"content": ' + "[" * 200_000
BODIES = [
    DEEP,
    "[" * 1_000_000,
    '{"a":' * 200_000,
    '{"choices": ' + "9" * 100_000 + "}",
    '{"choices": [{"message": {"content": "\\ud800 \\udfff?"}}]}',
    '{"choices": {"0": 1}}',
    '{"choices": [NaN]}',
    "\x00\x00",
    '"choices"',
]


@pytest.mark.parametrize("status", [200, 400, 401])
def test_json_that_breaks_readers(status: int, at: Callable[..., Endpoint]) -> None:
    """As a reply, as a refusal and as an error: told in a line that can be printed."""
    bodies = list(BODIES)
    with serving(lambda asked: Answer(body=bodies[-1], status=status)) as server:
        judge = at(server)
        while bodies:
            with pytest.raises(RunError) as caught:
                ask(judge, some(1))
            assert str(caught.value).replace("\n", "").isprintable()
            assert len(str(caught.value)) < 800
            bodies.pop()


def test_half_characters_in_rows_are_asked_about(at: Callable[..., Endpoint]) -> None:
    comparison = Comparison({"question": "\ud83d q"}, "\udc00 1", "2 \ud83d\ude00")
    with serving(lambda asked: "B") as server:
        for _ in range(2):
            assert ask(at(server), [comparison]) == ["b"]
    (asked,) = server.asked
    assert (asked.question, asked.a, asked.b) == ("\ufffd q", "\ufffd 1", "2 \U0001f600")


# ---- other addresses


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_the_key_goes_to_no_other_address(status: int, at: Callable[..., Endpoint]) -> None:
    with serving(better) as other:
        away = Answer("gone", status, {"Location": f"{other.url}/chat/completions?q"})
        with serving(lambda asked: away) as server, pytest.raises(RunError) as caught:
            ask(at(server, workers=1), some(3))
    assert other.asked == []
    assert len(server.asked) == 1
    told = str(caught.value)
    assert f"it sends on to {other.url}/chat/completions" in told
    assert "set OPENAI_BASE_URL" in told
    assert KEY not in told


def test_answers_of_every_kind_of_odd_server(at: Callable[..., Endpoint]) -> None:
    """Fragments of HTTP end the run with a sentence."""
    replies = [
        b"",
        b"\r\n\r\n",
        b"nonsense\r\n\r\n",
        b"HTTP/9.9 200 OK\r\n\r\n",
        b"HTTP/1.1 999 \xff\r\nContent-Length: 1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 307 X\r\nLocation: http://[\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 307 X\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 204 X\r\n\r\n",
        b"HTTP/1.1 101 X\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nSet-Cookie: \xff=\xff; Max-Age=x\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 429 X\r\nRetry-After: Mon, 99 Foo 99999 99:99:99\r\nContent-Length: 0\r\n\r\n",
    ]
    for reply in replies:

        def send(end: socket.socket, reply: bytes = reply) -> None:
            end.sendall(reply)

        with sending(send) as server, pytest.raises(RunError, match="judge openai:org/judge:1"):
            ask(at(server, retries=0, timeout=2, workers=1), some(1))


def test_a_silent_reply_leaves_no_request_behind(at: Callable[..., Endpoint]) -> None:
    """Verdicts of others come through while one is slow."""
    free = threading.Event()

    def respond(asked: Asked) -> str:
        if asked.question == "q0":
            free.wait(20)
        return better(asked)

    with serving(respond) as server:
        with pytest.raises(RunError, match="3 of 4 verdicts are in "):
            ask(at(server, retries=0, timeout=1, workers=4), some(4))
        free.set()
