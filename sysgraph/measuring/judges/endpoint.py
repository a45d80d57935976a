"""A language model behind any OpenAI-compatible endpoint, as a judge."""

import hashlib
import json
import os
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

from sysgraph_schemas.visible import visible

from ...support.errors import InputError, RunError
from ...support.progress import Reporter
from .base import Comparison, Verdict
from .cache import VerdictCache, key_of
from .parallel import in_parallel
from .rubric import PROMPT, REMINDER, prompt, read_reply

if TYPE_CHECKING:
    import openai
    from openai.types.chat import ChatCompletionMessageParam

_KEY = "OPENAI_API_KEY"
_SECRET = 8  # characters; shorter ones are words for endpoints that need no key
_SHOWN = 300
_HOPELESS = 50  # replies without a verdict, and none with one: the others are not asked for
_REPEATED = 4000  # characters of a reply without a verdict that are shown to the model again


class Endpoint:
    """Asks a model at OPENAI_BASE_URL (default: OpenAI) with the key in OPENAI_API_KEY.

    Rate limits, server errors, lost connections and time-outs are asked again, after waits that
    double from half a second to eight, or as long as the server says (`Retry-After`). A reply that
    is no verdict is asked about once more. Verdicts are kept in `cache` as they come.

    Args:
        cache: the folder to keep verdicts in.
        retries: how often a request is sent again before the run fails.
        timeout: seconds to wait for a whole reply.
        workers: requests under way at a time.

    Raises:
        InputError: openai is not installed, the environment does not say where to ask, or the
            cache's folder cannot be made.
    """

    def __init__(
        self,
        model: str,
        *,
        cache: Path,
        retries: int = 8,
        timeout: float = 120.0,
        workers: int = 8,
        reporter: Reporter | None = None,
    ) -> None:
        self.name = f"openai:{model}"
        self._model, self._workers = model, workers
        self._client = _client(retries, timeout)
        self._reporter = reporter or Reporter()
        file = re.sub(r"[^A-Za-z0-9.-]+", "-", model)[:100]  # keys say which model it was
        self._cache = VerdictCache(cache / f"{file}.jsonl", self._reporter)
        url = self._client.base_url
        self._host = url.host if url.port is None else f"{url.host}:{url.port}"
        address = f"{url.scheme}://{self._host}{url.raw_path.decode()}"
        rubric = hashlib.sha256(f"{PROMPT}\n{REMINDER}".encode()).hexdigest()
        self._identity = f"{self.name} {address} {rubric}"
        self._sampling: dict[str, object] = {"temperature": 0}
        self._refused: list[str] = []
        self._silent: list[str] = []

    def compare(
        self, comparisons: Sequence[Comparison], *, advance: Callable[[int], None]
    ) -> list[Verdict | None]:
        """A verdict each; None where two replies, or a refusal to reply, give none.

        Raises:
            RunError: the endpoint keeps failing, refuses all requests, or never gives a verdict;
                verdicts so far are kept.
        """
        import openai

        keys = [key_of(self._identity, comparison) for comparison in comparisons]
        rows = Counter(keys)
        verdicts: dict[str, Verdict | None] = {
            key: verdict for key, verdict in self._cache.read().items() if key in rows
        }
        todo = {k: c for k, c in zip(keys, comparisons, strict=True) if k not in verdicts}
        advance(sum(rows[key] for key in verdicts))
        self._refused, self._silent = [], []
        try:
            for key, verdict in in_parallel(self._ask, todo, self._workers):
                verdicts[key] = verdict
                if verdict is not None:
                    self._cache.add(key, verdict)
                advance(rows[key])
                if len(self._silent) >= _HOPELESS and not any(verdicts.values()):
                    break
        except openai.OpenAIError as error:
            raise self._failure(self._said(error), verdicts, len(rows)) from None
        self._tell(verdicts, len(rows))
        return [verdicts[key] for key in keys]

    def _tell(self, verdicts: dict[str, Verdict | None], total: int) -> None:
        """What has no verdict, and why.

        Raises:
            RunError: nothing has one.
        """
        told = []
        if self._refused:
            told.append(
                f"{self._host} refused {len(self._refused)} of {total} requests, which count as "
                f"without a verdict: {self._refused[0]}"
            )
        some = any(verdicts.values())
        if self._silent:
            count = len(self._silent)
            what = f"{count} of {total} replies were no verdict"
            what = what if some else f"none of {count} replies was a verdict"
            told.append(f"{what}, asked twice; the first: {self._silent[0]}")
        if told and not some:
            raise self._failure("; ".join(told), verdicts, total)
        for line in told:
            self._reporter.line(f"warning: judge {self.name}: {line}")

    def _failure(self, said: str, verdicts: dict[str, Verdict | None], total: int) -> RunError:
        done = sum(verdict is not None for verdict in verdicts.values())
        return RunError(
            f"judge {self.name} at {self._host}: {said}\n{done} of {total} verdicts are in "
            f"{self._cache.file}; the same command asks for the others"
        )

    def _ask(self, comparison: Comparison) -> Verdict | None:
        import openai

        asked = _characters(prompt(comparison))
        turns: list[ChatCompletionMessageParam] = [{"role": "user", "content": asked}]
        try:
            reply = self._reply(turns)
            verdict = read_reply(reply.text)
            if verdict is None:
                if reply.text.strip():
                    shown = _characters(reply.text[:_REPEATED])
                    turns.append({"role": "assistant", "content": shown})
                    turns.append({"role": "user", "content": REMINDER})
                reply = self._reply(turns)
                verdict = read_reply(reply.text)
        except openai.BadRequestError as error:  # too long for the model, or filtered: this one is
            self._refused.append(self._said(error))
            return None
        if verdict is None:
            self._silent.append(f"'{self._shown(reply.body)}'" if reply.body else "nothing at all")
        return verdict

    def _reply(self, turns: "list[ChatCompletionMessageParam]") -> "_Reply":
        import openai

        sampling = self._sampling
        try:
            return self._send(turns, sampling)
        except openai.BadRequestError as error:
            if not sampling or "temperature" not in str(error):
                raise
        # Some reasoning models accept no temperature but their own.
        self._sampling = {}
        return self._send(turns, self._sampling)

    def _send(
        self, turns: "list[ChatCompletionMessageParam]", sampling: dict[str, object]
    ) -> "_Reply":
        # As bytes: what only almost answers like OpenAI must not end in an error of the client's.
        import openai

        try:
            response = self._client.chat.completions.with_raw_response.create(
                model=self._model, messages=turns, extra_body=sampling
            )
        except openai.OpenAIError:
            raise
        except Exception as error:  # of the client's own, about a reply that nobody foresaw
            raise openai.OpenAIError(f"{type(error).__name__}: {error}") from None
        return _Reply.read(response.content)

    def _said(self, error: "openai.OpenAIError") -> str:
        """What went wrong in a line, without the key."""
        return self._shown(f"{error} ({error.__cause__})" if error.__cause__ else str(error))

    def _shown(self, text: str) -> str:
        """The start of a text from outside: on one line, without the key and control characters."""
        if len(self._client.api_key) >= _SECRET:
            text = text.replace(self._client.api_key, "[key]")
        line = visible(" ".join(text[: 4 * _SHOWN].split()))
        return line if len(line) <= _SHOWN else f"{line[:_SHOWN]} ..."


@dataclass(frozen=True)
class _Reply:
    """What a model wrote: nothing, if `body`, the endpoint's answer, is not of the right shape."""

    body: str
    text: str

    @classmethod
    def read(cls, content: bytes) -> Self:
        body = content.decode(errors="replace")
        try:
            text = json.loads(content)["choices"][0]["message"]["content"]
        except (ValueError, LookupError, TypeError, RecursionError):
            return cls(body, "")
        return cls(text, text) if isinstance(text, str) else cls(body, "")


def _characters(text: str) -> str:
    """The text with a replacement for each half of a character, which no request can hold."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _client(retries: int, timeout: float) -> "openai.OpenAI":
    try:
        import openai
    except ImportError:
        raise InputError(
            'the judges `openai:...` need openai: pip install "sysgraph[judge]"'
        ) from None
    key = os.environ.get(_KEY, "")
    if not key:
        raise InputError(
            f"set {_KEY} to the endpoint's key (to any word, for one that needs none) and, for "
            "another than OpenAI's, OPENAI_BASE_URL to its address"
        )
    if not re.fullmatch(r"[!-~]+", key):  # an error deep in the client would show it
        raise InputError(f"{_KEY}: expected letters, digits and signs, without blanks or line ends")
    from .http import BoundedClient

    client = openai.OpenAI(max_retries=retries, timeout=timeout, http_client=BoundedClient(timeout))
    if client.base_url.scheme not in ("http", "https") or not client.base_url.host:
        raise InputError("OPENAI_BASE_URL: expected an address like http://localhost:8000/v1")
    return client
