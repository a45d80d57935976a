"""Pages of the web, from a real server: what may be read, and what is refused."""

import socket
import threading
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from urllib.parse import unquote

import pytest

from sysgraph import ToolError
from sysgraph.toolkit.browse import Browse
from sysgraph.toolkit.network import LARGEST, Web, is_public, resolve

PUBLIC = "93.184.216.34"


class Pages(BaseHTTPRequestHandler):
    """Every path is what the server does; it notes who was asked for."""

    asked: list[tuple[str, str]] = []  # noqa: RUF012 - of the one server

    def do_GET(self) -> None:
        self.asked.append((self.headers["Host"], self.path))
        what, _, rest = self.path.removeprefix("/").partition("/")
        moves = {"to": unquote(rest), "round": "/round"}
        kind = {"picture": "image/png", "plain": "text/plain; charset=latin-1"}.get(
            what, "text/html"
        )
        body = {
            "plain": "<b> é".encode("latin-1"),
            "big": b"x" * (LARGEST + 1),
            "odd": b"<p>\xff\xfe" + b"<" * 1000,
        }.get(what, b"<title>Auk</title><p>It <b>swims</b>.")
        self.send_response(302 if what in moves else 404 if what == "gone" else 200)
        if what in moves:
            self.send_header("Location", moves[what])
        self.send_header("Content-Type", kind)
        if what == "liar":
            self.send_header("Content-Length", "5")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Pages)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


@pytest.fixture
def web(port: int) -> Web:
    """Every public address is the server's; the names that a resolver of the test knows."""
    Pages.asked.clear()

    def known(host: str, _: int) -> Sequence[str]:
        names = {"auk.example": [PUBLIC], "inside.example": ["10.0.0.7"]}
        names["both.example"] = [PUBLIC, "127.0.0.1"]
        names["six.example"] = ["::ffff:169.254.169.254"]
        return names[host] if host in names else resolve(host, port)

    def to_server(address: str, _: int) -> socket.socket:
        assert is_public(ip_address(address))
        return socket.create_connection(("127.0.0.1", port))

    return Web(known, to_server)


def test_a_page_is_read_as_its_words(web: Web) -> None:
    assert web.page("http://auk.example/a b?q=é") == ("Auk", "It swims.")
    assert Pages.asked == [("auk.example", "/a%20b?q=%C3%A9")]
    assert web.page("http://auk.example:8080/plain").text == "<b> é"
    assert Pages.asked[-1][0] == "auk.example:8080"
    assert web.page("http://auk.example/to/http://auk.example/x").title == "Auk"
    assert web.page("http://auk.example/odd").text.startswith("��")
    assert web.page("http://auk.example/liar").title == ""


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://auk.example/gone", "answered 404"),
        ("http://auk.example/round", "more than 5 redirects"),
        ("http://auk.example/picture", "image/png, no text"),
        ("http://auk.example/big", "more than 1,048,576 bytes"),
        ("file:///etc/passwd", "only http and https"),
        ("ftp://auk.example/", "only http and https"),
        ("gopher://auk.example/", "only http and https"),
        ("http://user:secret@auk.example/", "no plain address"),
        ("http:///etc/passwd", "no plain address"),
        ("http://auk.example:99999/", "no address"),
        ("http://[::1", "no address"),
    ],
)
def test_what_is_no_page(web: Web, url: str, said: str) -> None:
    with pytest.raises(ToolError, match=said):
        web.page(url)


@pytest.mark.parametrize("scheme", ["", "http://auk.example/to/"])
@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "localhost", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "0"),
        *("[::1]", "[::]", "[::ffff:127.0.0.1]", "[fe80::1]", "[fd00::1]", "[64:ff9b::7f00:1]"),
        *("169.254.169.254", "10.1.2.3", "192.168.0.1", "172.16.0.1", "100.64.0.1", "0.0.0.0"),
        *("224.0.0.1", "255.255.255.255", "inside.example", "both.example", "six.example"),
    ],
)
def test_no_private_address_is_asked_nor_by_a_redirect(web: Web, host: str, scheme: str) -> None:
    with pytest.raises(ToolError, match="which is no public address"):
        web.page(f"{scheme}http://{host}/secret")
    assert all("secret" not in path or path.startswith("/to/") for _, path in Pages.asked)


def test_what_was_looked_at_is_what_is_connected_to(web: Web) -> None:
    """A resolver that answers otherwise the second time is not asked a second time."""
    answers = iter([[PUBLIC], ["127.0.0.1"]])
    asked: list[str] = []

    def connect(address: str, port: int) -> socket.socket:
        asked.append(address)
        return web.connect(address, port)

    assert Web(lambda host, port: next(answers), connect).page("http://turn.example/").title
    assert asked == [PUBLIC]


def test_browse_asks_the_network_only_where_it_may(web: Web) -> None:
    browse = Browse(network=True, web=web)
    browse.open(length=6)
    assert browse.call(" http://auk.example/ ") == "Auk\nIt"
    with pytest.raises(ToolError, match="only http and https"):
        browse.call("file:///etc/passwd")
    with pytest.raises(ToolError, match="no public address"):
        browse.call("http://127.0.0.1/")
