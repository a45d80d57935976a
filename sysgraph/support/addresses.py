"""Where hosted models and servers are, and the keys to them, as whoever runs a graph says.

A key goes to the address of the same name and to no other: SYSGRAPH_API_KEY_ADA to that of the
model `ada`, SYSGRAPH_API_KEY to the address for models that have none of their own.
"""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from sysgraph_schemas.suggest import suggestion

from .errors import InputError


@dataclass(frozen=True)
class Naming:
    """How addresses of one sort of thing are given, and what messages say of it.

    Attributes:
        option: of the command line.
        address: the environment variable with the address of all; with `_NAME`, of one.
        key: the same of keys.
        thing: what is there, in the singular.
        legal: what introduces the list of those that a graph has.
        none: said where it has none.
        runs: what is the matter with one whose address nobody says.
    """

    option: str
    address: str
    key: str
    thing: str
    legal: str
    none: str
    runs: str


ENDPOINTS = Naming(
    option="--endpoint",
    address="SYSGRAPH_ENDPOINT",
    key="SYSGRAPH_API_KEY",
    thing="hosted model",
    legal="the models of `kind: endpoint` are",
    none="the graph has no model of `kind: endpoint`",
    runs="model {!r} runs on a server",
)
SERVERS = Naming(
    option="--server",
    address="SYSGRAPH_SERVER",
    key="SYSGRAPH_SERVER_KEY",
    thing="server",
    legal="the servers that a `sampler` names are",
    none="no model of the graph has a `sampler: {server: NAME}`",
    runs="models are sampled by the server {!r}",
)


@dataclass(frozen=True)
class Address:
    """A server's address and the key to it.

    Attributes:
        url: as in http://localhost:8000/v1.
        key: None for a server that needs none.
        given: what says so, for messages.
    """

    url: str
    key: str | None = field(repr=False)
    given: str


def parse(texts: Sequence[str], naming: Naming = ENDPOINTS) -> dict[str, str]:
    """The addresses of NAME=URL arguments by name; of a URL alone, under "".

    >>> parse(["ada=http://localhost:8000/v1", "https://example.org/v1"])
    {'ada': 'http://localhost:8000/v1', '': 'https://example.org/v1'}

    Raises:
        InputError: one is none, or is given twice; all that is wrong.
    """
    found: dict[str, str] = {}
    problems = []
    for text in texts:
        match = re.fullmatch(r"([A-Za-z_]\w*)=(.*)", text, re.DOTALL)
        name, url = (match[1], match[2]) if match else ("", text)
        shown = f"{naming.option} {name}".rstrip()
        if name in found:
            problems.append(f"{shown} is given twice; expected once")
        elif not _is_address(url):
            problems.append(f"{shown}: {_expected(naming)}")
        found[name] = url
    if problems:
        raise InputError("\n".join(f"error: {problem}" for problem in problems))
    return found


def require_hosted(
    given: Mapping[str, str], names: Sequence[str], naming: Naming = ENDPOINTS
) -> None:
    """Refuses addresses of what the graph does not have.

    Args:
        names: those that it has.

    Raises:
        InputError: there are such.
    """
    for name in given:
        if name and name not in names:
            near = suggestion(name, names, naming.legal) if names else naming.none
            raise InputError(f"{naming.option} {name}=...: no such {naming.thing}; {near}")
        if not name and not names:
            raise InputError(f"{naming.option}: {naming.none}")


def address_of(name: str, given: Mapping[str, str], naming: Naming = ENDPOINTS) -> Address | None:
    """Where it is: as it was typed, else as the environment says; None: nobody says.

    Args:
        given: what was typed, as `parse` gives it.

    Raises:
        InputError: an address or a key is none.
    """
    own = _variable(name)
    address, key = naming.address, naming.key
    named, common = (f"{address}_{own}", f"{key}_{own}"), (address, key)
    for url, says, secret in (
        (given.get(name), f"{naming.option} {name}", named[1]),
        (given.get(""), naming.option, common[1]),
        (os.environ.get(named[0]), *named),
        (os.environ.get(common[0]), *common),
    ):
        if url:
            if not _is_address(url):
                raise InputError(f"{says}: {_expected(naming)}")
            return Address(url, key_in(secret), says)
    return None


def key_in(variable: str) -> str | None:
    """The key in an environment variable; None where it is not set.

    Raises:
        InputError: it can be no key.
    """
    key = os.environ.get(variable, "")
    if key and not re.fullmatch(r"[!-~]+", key):  # an error deep in a client would show it
        said = "expected letters, digits and signs, without blanks or line ends"
        raise InputError(f"{variable}: {said}")
    return key or None


def require_known(
    names: Sequence[str], given: Mapping[str, str], naming: Naming = ENDPOINTS
) -> None:
    """Refuses to go on where nobody says an address.

    Raises:
        InputError: there are such, all of them.
    """
    unknown = [name for name in names if address_of(name, given, naming) is None]
    if unknown:
        raise InputError("\n".join(f"error: {_missing(name, naming)}" for name in unknown))


def _missing(name: str, naming: Naming) -> str:
    own = _variable(name)
    return (
        f"{naming.runs.format(name)}, and nothing says where: give {naming.option} "
        f"{name}=http://HOST:PORT/v1, or set {naming.address}_{own}, or {naming.address} for all "
        f"{naming.thing}s (its key, if it needs one, in {naming.key}_{own} or {naming.key})"
    )


def _variable(name: str) -> str:
    """The end of the names of its own environment variables."""
    return re.sub(r"\W", "_", name).upper()


_LIKE = "http://localhost:8000/v1, without user, password or query"


def _expected(naming: Naming) -> str:
    key = naming.key
    return f"expected an address like {_LIKE}: keys are read from {key}_NAME or {key}"


def checked(url: str, given: str) -> str:
    """An address, as it is.

    Args:
        given: what says it, for messages.

    Raises:
        InputError: it is none.
    """
    if not _is_address(url):
        raise InputError(f"{given}: expected an address like {_LIKE}")
    return url


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        sound = parts.port is None or parts.port > 0
    except ValueError:
        return False
    plain = not any((parts.username, parts.password, parts.query, parts.fragment))
    is_text = re.fullmatch(r"[!-~]+", url) is not None and "@" not in parts.netloc
    return (
        sound and plain and is_text and parts.scheme in ("http", "https") and bool(parts.hostname)
    )
