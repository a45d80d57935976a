"""Connections that are of no use: without a request, without a reader, or too many."""

import resource
import select
import socket
import time

import pytest

from sysgraph.serving import connection

from .serving import Gate, Served, served, system, until
from .test_many_at_once import leaving, post


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "IDLE", 0.1)


def opened(server: Served, sent: str = "") -> socket.socket:
    found = socket.create_connection(("127.0.0.1", server.port))
    found.sendall(sent.encode())
    return found


def ended(one: socket.socket) -> bool:
    """Whether the server ends a connection; what it says before is read."""
    one.settimeout(30)
    try:
        while one.recv(1 << 16):
            pass
    except ConnectionResetError:
        pass
    return True


def test_a_connection_without_a_whole_request_is_ended_and_one_that_waits_is_not(
    soon: None,
) -> None:
    gate = Gate()
    with served(system(gate=gate)) as server, leaving(server, "wait") as stream:
        head = "GET /health HTTP/1.1\r\nHost: x\r\n"
        for sent in ("", head, f"{head}\r\n", f"{head}\r\n{head}"):
            with opened(server, sent) as one:
                assert ended(one)
        with opened(server, head) as dripping:
            until(lambda: drips(dripping))
        gate.opened.set()  # these were slower than all of them
        found = b""
        while b"data: [DONE]\n\n" not in found:
            found += stream.recv(1000)


def drips(one: socket.socket) -> bool:
    """Sends another letter of an endless head; whether the server has had enough."""
    time.sleep(0.01)
    try:
        one.sendall(b"X")
    except OSError:
        return True
    readable, _, _ = select.select([one], [], [], 0)
    return bool(readable)


@pytest.mark.parametrize("stream", ["false", "true"])
def test_who_reads_no_answer_is_let_go(soon: None, stream: str) -> None:
    messages = f'[{{"role": "user", "content": "{"x" * 900_000}"}}]'
    body = f'{{"n": 9, "stream": {stream}, "messages": {messages}}}'
    head = "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    with served(system()) as server, socket.socket() as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)  # sockets hold less than it
        one.connect(("127.0.0.1", server.port))
        one.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode())
        until(lambda: b"sysgraph_answer_seconds_count 1.0" in server.service.meters.text())
        until(lambda: not server.server.server_state.connections)
        assert post(server, "then")[0] == 200


def test_there_are_no_more_connections_than_files_for_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (6, 6))
    with served(system()) as server:
        idle = [opened(server) for _ in range(3)]
        with opened(server) as fourth:
            assert ended(fourth)
        for one in idle:
            one.close()
        until(lambda: not server.server.server_state.connections)
        assert post(server, "then")[0] == 200


def test_what_is_no_http_is_refused_without_a_line_each(caplog: pytest.LogCaptureFixture) -> None:
    upgrade = "GET /health HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, close\r\nUpgrade: websocket"
    with served(system()) as server:
        for sent, status in [("\x16\x03\x01\r\n\r\n", 400), (f"{upgrade}\r\n\r\n", 200)]:
            with opened(server, sent) as one:
                assert one.recv(12) == f"HTTP/1.1 {status}".encode()
    assert caplog.records == []


def test_a_stream_whose_server_stops_at_once_says_so(caplog: pytest.LogCaptureFixture) -> None:
    gate = Gate()
    with served(system(gate=gate)) as server, leaving(server, "wait") as stream:
        assert gate.entered.wait(30)
        server.server.should_exit = server.server.force_exit = True
        found = b""
        while part := stream.recv(1000):
            found += part
        gate.opened.set()
    assert b"the server was stopped" in found
    assert found.endswith(b"\r\n0\r\n\r\n")
    assert caplog.records == []
