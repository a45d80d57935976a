"""Where hosted models are, and the keys to them, as whoever runs a graph says.

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

ADDRESS, KEY = "SYSGRAPH_ENDPOINT", "SYSGRAPH_API_KEY"


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


def parse(texts: Sequence[str]) -> dict[str, str]:
    """The addresses of NAME=URL arguments by model; of a URL alone, under "".

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
        shown = f"--endpoint {name}".rstrip()
        if name in found:
            problems.append(f"{shown} is given twice; expected once")
        elif not _is_address(url):
            problems.append(f"{shown}: {_EXPECTED}")
        found[name] = url
    if problems:
        raise InputError("\n".join(f"error: {problem}" for problem in problems))
    return found


def require_hosted(endpoints: Mapping[str, str], hosted: Sequence[str]) -> None:
    """Refuses addresses of what is no hosted model.

    Args:
        hosted: the models of a graph that are.

    Raises:
        InputError: there are such.
    """
    for name in endpoints:
        if name and name not in hosted:
            near = suggestion(name, hosted, "the models of `kind: endpoint` are")
            near = near if hosted else "the graph has no model of `kind: endpoint`"
            raise InputError(f"--endpoint {name}=...: no such hosted model; {near}")
        if not name and not hosted:
            raise InputError("--endpoint: the graph has no model of `kind: endpoint`")


def address_of(model: str, endpoints: Mapping[str, str]) -> Address | None:
    """Where a model is: as it was typed, else as the environment says; None: nobody says.

    Args:
        endpoints: what was typed, as `parse` gives it.

    Raises:
        InputError: an address or a key is none.
    """
    own = re.sub(r"\W", "_", model).upper()
    named, common = (f"{ADDRESS}_{own}", f"{KEY}_{own}"), (ADDRESS, KEY)
    for url, given, key in (
        (endpoints.get(model), f"--endpoint {model}", named[1]),
        (endpoints.get(""), "--endpoint", common[1]),
        (os.environ.get(named[0]), *named),
        (os.environ.get(common[0]), *common),
    ):
        if url:
            if not _is_address(url):
                raise InputError(f"{given}: {_EXPECTED}")
            return Address(url, key_in(key), given)
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


def require_known(models: Sequence[str], endpoints: Mapping[str, str]) -> None:
    """Refuses hosted models that nobody says the address of.

    Raises:
        InputError: there are such, all of them.
    """
    unknown = [model for model in models if address_of(model, endpoints) is None]
    if unknown:
        raise InputError("\n".join(f"error: {_missing(model)}" for model in unknown))


def _missing(model: str) -> str:
    own = re.sub(r"\W", "_", model).upper()
    return (
        f"model {model!r} runs on a server, and nothing says where: give --endpoint "
        f"{model}=http://HOST:PORT/v1, or set {ADDRESS}_{own}, or {ADDRESS} for all hosted models "
        f"(its key, if it needs one, in {KEY}_{own} or {KEY})"
    )


_LIKE = "http://localhost:8000/v1, without user, password or query"
_EXPECTED = f"expected an address like {_LIKE}: keys are read from {KEY}_NAME or {KEY}"


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
