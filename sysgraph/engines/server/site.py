"""One vLLM server: asked, waited for while it is away, and given adapters."""

import threading
import time
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...support.addresses import Address
from ...support.errors import InputError, ServiceError
from ...support.progress import Reporter
from ..endpoint.client import Client
from ..endpoint.parallel import as_long_as
from .protocol import base_model

if TYPE_CHECKING:
    import openai

_WAITS = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 30.0, 30.0, 30.0, 30.0)
"""Seconds before each time that a server is asked again: long enough to start it anew."""
_FIRST = 2
"""Times that one is which has not answered yet: its address may be wrong."""
_REPLY = 900.0
"""Seconds for a whole reply: a server may have many requests before it."""
_PULSE = 20.0
"""Seconds of waiting for a reply after which a server is asked whether it is still there."""
_BUSY = (408, 409, 425, 429)


class Forgotten(Exception):
    """A server knows no adapter of a name that it was given: it was started anew."""


class Site:
    """A server by the name that graphs give it. Threads may ask it at once.

    Args:
        reporter: is told where the server is waited for.
    """

    def __init__(self, name: str, address: Address, reporter: Reporter) -> None:
        self.name, self._reporter = name, reporter
        self._address = address
        self._client = Client(
            address, needs="models that servers sample", retries=0, timeout=_REPLY
        )
        self._has_answered = False
        self._is_away = threading.Event()

    def __str__(self) -> str:
        return f"server {self.name!r} at {self._client.host}"

    @cached_property
    def base(self) -> tuple[str, str]:
        """What it calls its base model, and where that is from.

        Raises:
            InputError: it says none.
        """
        import openai

        try:
            return base_model(self._ask("/models"))
        except (ValueError, openai.OpenAIError) as error:
            raise self._refused(error, "is its address right, up to /v1?") from None

    def complete(self, body: Mapping[str, Any]) -> bytes:
        """What it replies to a request for texts.

        Raises:
            Forgotten: it does not know the model.
            openai.APIStatusError: it refuses this very request.
            ServiceError: it is away, or fails.
        """
        import openai

        try:
            return self._ask("/completions", body)
        except openai.NotFoundError as error:
            raise Forgotten(f"{self}: {self._client.said(error)}") from None

    def load(self, adapter: str, folder: Path) -> None:
        """Has it read an adapter from a folder, under a name that it does not know yet.

        Not with `load_inplace`: what was loaded so is read from the disk again in every forward
        pass (vLLM 0.32), and its prefix cache tells adapters by name and path.

        Raises:
            InputError: it cannot.
        """
        import openai

        body = {"lora_name": adapter, "lora_path": str(folder)}
        try:
            self._ask("/load_lora_adapter", body, is_final=True)
        except openai.OpenAIError as error:
            text = str(error)
            if isinstance(error, openai.BadRequestError) and "already been loaded" in text:
                return  # asked twice, as a reply was lost
            raise self._refused(error, _remedy(error, folder)) from None

    def unload(self, adapter: str) -> None:
        """Has it forget an adapter, if it is there to do so; it is not waited for."""
        import contextlib

        client = Client(self._address, needs="servers", retries=0, timeout=5.0)
        with contextlib.suppress(Exception):  # it may have ended, or know nothing of it
            client.send("/unload_lora_adapter", {"lora_name": adapter})

    def forget(self) -> None:
        """Drops what was known of the server, which was started anew."""
        self.__dict__.pop("base", None)

    def said(self, error: "openai.OpenAIError") -> str:
        """What went wrong in a line."""
        return self._client.said(error)

    def _refused(self, error: Exception, remedy: str) -> InputError:
        import openai

        said = self.said(error) if isinstance(error, openai.OpenAIError) else str(error)
        return InputError(f"{self}: {said}: {remedy}")

    def _ask(
        self, path: str, body: Mapping[str, Any] | None = None, *, is_final: bool = False
    ) -> bytes:
        """What it replies, asked again while it is away or busy.

        Args:
            is_final: whether an error of its own is an answer.
        """
        import openai

        waits = iter(_WAITS)
        while True:
            try:
                content = self._send(path, body)
            except openai.APIStatusError as error:
                self._has_answered = True
                may_help = error.status_code >= 500 and not is_final
                if not may_help and error.status_code not in _BUSY:
                    raise
                failure: openai.OpenAIError = error
            except openai.OpenAIError as error:
                failure = error
            else:
                self._is_back()
                return content
            wait = next(waits, None)
            tried_enough = not self._has_answered and wait is not None and wait > _WAITS[_FIRST - 1]
            if wait is None or tried_enough:
                raise self._gone(failure)
            self._tell(failure)
            time.sleep(wait)

    def _send(self, path: str, body: Mapping[str, Any] | None) -> bytes:
        """What it replies. One that goes down may hold a connection for ever, and takes no other.

        Raises:
            openai.OpenAIError: it does not reply, or refuses.
        """
        import openai

        try:
            return as_long_as(self._is_there, _PULSE, lambda: self._client.send(path, body))
        except TimeoutError:
            raise openai.OpenAIError("it has stopped, with a request under way") from None

    def _is_there(self) -> bool:
        """Whether it answers others; one that is too busy to say so does."""
        import openai

        root = self._client.url.rstrip("/").removesuffix("/v1")
        client = Client(self._address, needs="servers", retries=0, timeout=_PULSE / 2)
        try:
            client.send(f"{root}/health")
        except openai.APIStatusError as error:
            return error.status_code < 500
        except openai.APITimeoutError:
            return True
        except openai.OpenAIError:
            return False
        return True

    def _gone(self, failure: "openai.OpenAIError") -> ServiceError:
        return ServiceError(f"{self} does not answer: {self.said(failure)}")

    def _tell(self, failure: "openai.OpenAIError") -> None:
        if not self._is_away.is_set():
            self._is_away.set()
            seconds = sum(_WAITS if self._has_answered else _WAITS[:_FIRST])
            self._reporter.line(
                f"{self} does not answer ({self.said(failure)}): asking again for {seconds:g} "
                "seconds"
            )

    def _is_back(self) -> None:
        self._has_answered = True
        if self._is_away.is_set():
            self._is_away.clear()
            self._reporter.line(f"{self} answers again")


def _remedy(error: "openai.OpenAIError", folder: Path) -> str:
    """What to do about a server that does not take an adapter."""
    text = str(error)
    if getattr(error, "status_code", None) in (404, 405) and "adapter" not in text:
        return (
            "it takes no adapters while it runs: start it with --enable-lora and "
            "VLLM_ALLOW_RUNTIME_LORA_UPDATING=True in its environment"
        )
    if "No adapter found" in text or "No such file" in text:
        return (
            f"it does not see {folder}: give a folder that it shares with this process, under the "
            "same path (--adapters DIR)"
        )
    return "start it with --enable-lora, and a --max-lora-rank as high as `lora.r`"
