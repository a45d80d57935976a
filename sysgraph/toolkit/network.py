"""Pages of the public web: no address of this machine, or of a network that it is in, is asked.

A name is looked up once; every address that it has must be public, and one of these very addresses
is connected to, so that nobody can answer otherwise in between. A redirect is looked at like the
address before it.
"""

import http.client
import ipaddress
import socket
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import SplitResult, quote, urljoin, urlsplit

from ..tools import ToolError
from .html_text import Page, page_of

LARGEST = 1 << 20
"""Bytes of a page."""
_SECONDS = 10.0
_REDIRECTS = 5
_MOVED = (301, 302, 303, 307, 308)
_READABLE = ("text/", "application/xhtml+xml", "application/json")
# What an address in them stands for is another one, which may be private.
_DISGUISED = [ipaddress.ip_network(n) for n in ("64:ff9b::/96", "2002::/16", "2001::/32")]

Resolve = Callable[[str, int], Sequence[str]]
Connect = Callable[[str, int], socket.socket]


def resolve(host: str, port: int) -> list[str]:
    """The addresses of a host, by the system's resolver."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


def connect(address: str, port: int) -> socket.socket:
    """A connection to an address."""
    return socket.create_connection((address, port), _SECONDS)


class Reply(NamedTuple):
    """What a server said."""

    status: int
    location: str | None
    kind: str
    charset: str
    body: bytes


@dataclass(frozen=True)
class Web:
    """Reads pages.

    Args:
        resolve: gives the addresses of a host.
        connect: connects to one that was found public.
    """

    resolve: Resolve = resolve
    connect: Connect = connect

    def page(self, url: str) -> Page:
        """The page at an http or https address.

        Raises:
            ToolError: there is none, it may not be asked for, or it is too big or no text.
        """
        for _ in range(_REDIRECTS + 1):
            reply = self._asked(_parts(url))
            if reply.status in _MOVED and reply.location:
                url = urljoin(url, reply.location)
                continue
            if reply.status != http.client.OK:
                raise ToolError(f"{url:.200}: the server answered {reply.status}")
            return _read(url, reply)
        raise ToolError(f"{url:.200}: more than {_REDIRECTS} redirects")

    def _asked(self, parts: SplitResult) -> Reply:
        host, port = str(parts.hostname), parts.port or (443 if parts.scheme == "https" else 80)
        address = self._address(host, port)
        try:
            sock = self.connect(address, port)
            sock.settimeout(_SECONDS)
            if parts.scheme == "https":
                sock = ssl.create_default_context().wrap_socket(sock, server_hostname=host)
            with sock:
                return _exchange(sock, parts, host, parts.port)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise ToolError(f"{parts.geturl():.200}: {_why(error)}") from error

    def _address(self, host: str, port: int) -> str:
        """One of the host's addresses, all of which are public."""
        try:
            found = [
                ipaddress.ip_address(text.partition("%")[0]) for text in self.resolve(host, port)
            ]
        except (OSError, ValueError) as error:
            raise ToolError(f"there is no host {host!r:.100}: {_why(error)}") from error
        if not found:
            raise ToolError(f"there is no host {host!r:.100}")
        for address in found:
            if not is_public(address):
                raise ToolError(f"{host!r:.100} is at {address}, which is no public address")
        return str(found[0])


def is_public(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Whether an address is one of the public internet's, and of one machine."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return is_public(address.ipv4_mapped)
        if any(address in network for network in _DISGUISED) or address.is_site_local:
            return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def _parts(url: str) -> SplitResult:
    """The parts of an address that may be asked for."""
    try:
        parts = urlsplit(url.strip())
        port = parts.port
    except ValueError as error:
        raise ToolError(f"{url!r:.200} is no address: {error}") from error
    if parts.scheme not in ("http", "https"):
        raise ToolError(f"{url!r:.200}: only http and https are read")
    if not parts.hostname or parts.username is not None or parts.password is not None or port == 0:
        raise ToolError(f"{url!r:.200} is no plain address of a page")
    return parts


def _exchange(sock: socket.socket, parts: SplitResult, host: str, port: int | None) -> Reply:
    path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~-._")
    query = f"?{quote(parts.query, safe='/%:@!$&()*+,;=~-._?')}" if parts.query else ""
    connection = http.client.HTTPConnection(host, port)
    connection.sock = sock
    name = f"[{host}]" if ":" in host else host.encode("idna").decode()
    connection.putrequest("GET", path + query, skip_host=True, skip_accept_encoding=True)
    connection.putheader("Host", name if port is None else f"{name}:{port}")
    connection.putheader("User-Agent", "sysgraph")
    connection.putheader("Accept", "text/html, text/plain")
    connection.putheader("Connection", "close")
    connection.endheaders()
    answer = connection.getresponse()
    kind = answer.headers.get_content_type()
    charset = answer.headers.get_content_charset() or "utf-8"
    if answer.status != http.client.OK:
        return Reply(answer.status, answer.headers.get("Location"), kind, charset, b"")
    body = answer.read(LARGEST + 1)
    return Reply(answer.status, None, kind, charset, body)


def _read(url: str, reply: Reply) -> Page:
    if not reply.kind.startswith(_READABLE):
        raise ToolError(f"{url:.200} is {reply.kind}, no text")
    if len(reply.body) > LARGEST:
        raise ToolError(f"{url:.200} has more than {LARGEST:,} bytes")
    try:
        text = reply.body.decode(reply.charset, "replace")
    except LookupError:
        text = reply.body.decode("utf-8", "replace")
    return page_of(text) if "html" in reply.kind else Page("", text.strip())


def _why(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error or type(error).__name__)
