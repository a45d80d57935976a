"""A client of one server behind the OpenAI protocol, which trusts nothing that it says."""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from sysgraph_schemas.visible import visible

from ...support.addresses import Address
from ...support.errors import InputError

if TYPE_CHECKING:
    import openai

_RETRIES = 8
_FIRST = 2  # retries until a server has said anything
_BUSY = (408, 409, 429)
_SECRET = 8  # characters; shorter keys are words for servers that need none
_SHOWN = 300
_OWN_HEADERS = ("OpenAI-Organization", "OpenAI-Project")
"""What the client takes from the environment, for OpenAI's own servers."""


class Client:
    """Asks a server, and asks again where that may help.

    Rate limits, server errors, lost connections and time-outs are asked again, after waits that
    double from half a second to eight, or as long as the server says (`Retry-After`); where no
    server has said anything yet, only twice.

    Args:
        address: where it is; the key goes nowhere else.
        needs: what needs the package openai, for messages, and the `extra` that installs it.
        retries: how often a request is sent again; default: 8 times.
        timeout: seconds to wait for a whole reply.
        is_openai: whether it is told the organization and project that OpenAI's own client
            finds in the environment.

    Raises:
        InputError: openai is not installed.
    """

    def __init__(
        self,
        address: Address,
        *,
        needs: str,
        retries: int | None = None,
        timeout: float = 120.0,
        is_openai: bool = False,
        extra: str = "endpoint",
    ) -> None:
        require_openai(needs, extra)
        import openai

        from .http import BoundedClient

        without: tuple[str, ...] = () if is_openai else _OWN_HEADERS
        without += () if address.key else ("Authorization",)
        retries = _RETRIES if retries is None else retries
        self._key = address.key or ""
        self._client = openai.OpenAI(
            base_url=address.url,
            api_key=address.key or "none",
            max_retries=retries,
            timeout=timeout,
            http_client=BoundedClient(timeout, address.given, without=without),
        )
        self._first = self._client.with_options(max_retries=min(retries, _FIRST))
        self._is_there = False
        url = self._client.base_url
        self.host = url.host if url.port is None else f"{url.host}:{url.port}"
        self.url = f"{url.scheme}://{self.host}{url.raw_path.decode()}"

    def chat(self, model: str, turns: Sequence[Any], settings: Mapping[str, object]) -> bytes:
        """What it replies to chat messages, as it came.

        Raises:
            openai.OpenAIError: it does not reply, refuses, or sends on to another address.
        """

        def ask(client: "openai.OpenAI") -> bytes:
            create: Any = client.chat.completions.with_raw_response.create
            return _content(create, model=model, messages=turns, extra_body=settings)

        return self._asked(ask)

    def complete(self, model: str, prompt: str, settings: Mapping[str, object]) -> bytes:
        """What it replies to a plain prompt, as it came.

        Raises:
            openai.OpenAIError: it does not reply, refuses, or sends on to another address.
        """

        def ask(client: "openai.OpenAI") -> bytes:
            create: Any = client.completions.with_raw_response.create
            return _content(create, model=model, prompt=prompt, extra_body=settings)

        return self._asked(ask)

    def send(self, path: str, body: Mapping[str, object] | None = None) -> bytes:
        """What it replies to a body that is posted, or (None) when a path is read, as it came.

        Raises:
            openai.OpenAIError: it does not reply, refuses, or sends on to another address.
        """
        import httpx2

        def ask(client: "openai.OpenAI") -> bytes:
            how: Any = client.get if body is None else partial(client.post, body=dict(body))
            return _content(lambda **asked: how(path, **asked), cast_to=httpx2.Response)

        return self._asked(ask)

    def _asked(self, ask: "Callable[[openai.OpenAI], bytes]") -> bytes:
        """What it replies; a wrong address is not waited for as long as a server that was there."""
        import openai

        if not self._is_there:
            try:
                content = ask(self._first)
            except openai.APIStatusError as error:
                self._is_there = True
                if error.status_code not in _BUSY and error.status_code < 500:
                    raise
            else:
                self._is_there = True
                return content
        return ask(self._client)

    def said(self, error: "openai.OpenAIError") -> str:
        """What went wrong in a line, without the key."""
        return self.shown(f"{error} ({error.__cause__})" if error.__cause__ else str(error))

    def shown(self, text: str) -> str:
        """The start of a text from outside: on one line, without the key and control characters."""
        if len(self._key) >= _SECRET:
            text = text.replace(self._key, "[key]")
        line = visible(" ".join(text[: 4 * _SHOWN].split()))
        return line if len(line) <= _SHOWN else f"{line[:_SHOWN]} ..."


def require_openai(needs: str, extra: str) -> None:
    """Refuses to go on without the package openai.

    Raises:
        InputError: it is not installed.
    """
    try:
        import openai  # noqa: F401
    except ImportError:
        raise InputError(f'{needs} need openai: pip install "sysgraph[{extra}]"') from None


def refuses(error: "openai.OpenAIError") -> bool:
    """Whether a server refuses this very request: it is too long for the model, or filtered."""
    return getattr(error, "status_code", None) in (400, 413, 422)


def characters(text: str) -> str:
    """The text with a replacement for each half of a character, which no request can hold."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def file_of(model: str) -> str:
    """What a file of what a model said is called; its keys say which model it was."""
    return f"{re.sub(r'[^A-Za-z0-9.-]+', '-', model)[:100]}.jsonl"


def _content(create: Any, **asked: Any) -> bytes:
    # As bytes: what only almost answers like OpenAI must not end in an error of the client's.
    import openai

    try:
        content: bytes = create(**asked).content
    except openai.OpenAIError:
        raise
    except Exception as error:  # of the client's own, about a reply that nobody foresaw
        raise openai.OpenAIError(f"{type(error).__name__}: {error}") from None
    return content
