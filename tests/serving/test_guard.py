"""Who is answered: keys, other sites' pages, requests that are too big."""

from collections.abc import Iterator

import openai
import pytest

from sysgraph.serving import Limits
from sysgraph.serving.guard import LOOPBACK

from .serving import Served, served, system

KEY = "s3cret"
CHAT = {"messages": [{"role": "user", "content": "what ?"}], "seed": 1}


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    with served(system(), Limits(body=1000), key=KEY, hosts=LOOPBACK) as found:
        yield found


def test_a_key_is_needed_for_all_that_says_something(server: Served) -> None:
    paths = ["/v1/models", "/v1/models/pair", "/metrics", "/graph", "/nothing"]
    for given in ({}, {"Authorization": "Bearer no"}, {"Authorization": KEY}, {"X-Api-Key": KEY}):
        assert server.ask("/v1/chat/completions", CHAT, **given)[0] == 401
        assert [server.ask(path, **given)[0] for path in paths] == [401] * 5
        assert [server.ask(path, **given)[0] for path in ("/", "/page.js", "/health")] == [200] * 3
    assert server.ask("/metrics", Authorization=f"bearer {KEY}")[0] == 200
    with server.client("no") as client, pytest.raises(openai.AuthenticationError, match="its key"):
        client.models.list()
    with server.client(KEY) as client:
        assert [model.id for model in client.models.list()] == ["pair"]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Host": "localhost:1"}, 200),
        ({"Host": "[::1]:1"}, 200),
        ({"Host": "evil.example"}, 403),  # its name was made to lead here
        ({"Host": "localhost.evil.example"}, 403),
        ({"Host": "[::"}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Host": "localhost:1", "Origin": "http://localhost:1"}, 200),
        ({"Host": "localhost:1", "Origin": "http://localhost:2"}, 403),
        ({"Content-Type": "text/plain"}, 415),  # a form of any page can send this
    ],
)
def test_other_sites_pages_are_not_answered(
    server: Served, headers: dict[str, str], status: int
) -> None:
    given = {"Authorization": f"Bearer {KEY}", **headers}
    found, answer = server.ask("/v1/chat/completions", CHAT, **given)
    assert (found, "error" in answer) == (status, status != 200)


def test_what_is_too_big_is_not_read(server: Served) -> None:
    given = {"Authorization": f"Bearer {KEY}"}
    big = {"messages": [{"role": "user", "content": "x" * 1000}]}
    assert server.ask("/v1/chat/completions", big, **given)[0] == 413
    chunked = {**given, "Transfer-Encoding": "chunked"}
    body = b"".join(b"64\r\n" + b" " * 100 + b"\r\n" for _ in range(11)) + b"0\r\n\r\n"
    status, answer = server.ask("/v1/chat/completions", body, **chunked)
    assert (status, answer["error"]["message"]) == (413, "the request is longer than 1000 bytes")
