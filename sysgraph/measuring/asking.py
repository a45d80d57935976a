"""Asking a hosted model what it thinks of outputs: every question once, each answer kept."""

import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from ..engines.endpoint.cache import Replies
from ..engines.endpoint.client import Client, characters, file_of, refuses, require_openai
from ..engines.endpoint.parallel import in_parallel
from ..engines.endpoint.replies import Reply
from ..support.addresses import Address, checked, key_in
from ..support.errors import InputError, RunError
from ..support.progress import Reporter

if TYPE_CHECKING:
    pass

_ADDRESS, _KEY = "OPENAI_BASE_URL", "OPENAI_API_KEY"
_DEFAULT = "https://api.openai.com/v1"
_HOPELESS = 50  # replies without an answer, and none with one: the others are not asked for
_REPEATED = 4000  # characters of a reply without an answer that are shown to the model again

V = TypeVar("V")


class Asker(Generic[V]):
    """Asks a model at OPENAI_BASE_URL (default: OpenAI) with the key in OPENAI_API_KEY.

    A reply that holds no answer is asked about once more. Answers are kept in `cache` as they come.

    Args:
        model: what the server calls it.
        who: what asks, for messages: `judge openai:gpt-4o`.
        what: an answer, for messages: `verdict`.
        read: the answer in a reply; None if there is none.
        value: the answer that a line of the cache holds; None if it is none.
        reminder: what is said to a model that gave no answer.
        cache: the folder to keep answers in.
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
        who: str,
        what: str,
        read: Callable[[str], V | None],
        value: Callable[[object], V | None],
        reminder: str,
        cache: Path,
        retries: int | None = None,
        timeout: float = 120.0,
        workers: int = 8,
        reporter: Reporter | None = None,
    ) -> None:
        needs, extra = "the judges `openai:...`", "judge"
        require_openai(needs, extra)
        self._client = Client(
            _openai_address(),
            needs=needs,
            extra=extra,
            retries=retries,
            timeout=timeout,
            is_openai=True,
        )
        self._model, self._who, self._what, self._workers = model, who, what, workers
        self._read, self._reminder = read, reminder
        self._reporter = reporter or Reporter()
        self._cache = Replies(cache / file_of(model), what, value, self._reporter)
        self._sampling: dict[str, object] = {"temperature": 0}
        self._refused: list[str] = []
        self._silent: list[str] = []

    @property
    def url(self) -> str:
        """The server's address."""
        return self._client.url

    def answers(
        self, questions: Mapping[str, str], rows: Counter[str], advance: Callable[[int], None]
    ) -> dict[str, V | None]:
        """The answer to each question; None where two replies, or a refusal to reply, give none.

        Args:
            questions: by the key that their answers are kept under.
            rows: how many of what is asked about each question is for.
            advance: told how many of them are done, as they are.

        Raises:
            RunError: the server keeps failing, refuses all requests, or never gives an answer;
                answers so far are kept.
        """
        import openai

        found: dict[str, V | None] = {
            key: answer for key, answer in self._cache.read().items() if key in questions
        }
        todo = {key: text for key, text in questions.items() if key not in found}
        advance(sum(rows[key] for key in found))
        self._refused, self._silent = [], []
        try:
            for key, answer in in_parallel(self._ask, todo, self._workers):
                found[key] = answer
                if answer is not None:
                    self._cache.add(key, answer)
                advance(rows[key])
                if len(self._silent) >= _HOPELESS and not _some(found):
                    break
        except openai.OpenAIError as error:
            raise self._failure(self._client.said(error), found, len(questions)) from None
        self._tell(found, len(questions))
        return found

    def _tell(self, found: Mapping[str, V | None], total: int) -> None:
        """What has no answer, and why.

        Raises:
            RunError: nothing has one.
        """
        told = []
        if self._refused:
            told.append(
                f"{self._client.host} refused {len(self._refused)} of {total} requests, which "
                f"count as without a {self._what}: {self._refused[0]}"
            )
        some = _some(found)
        if self._silent:
            count = len(self._silent)
            what = f"{count} of {total} replies were no {self._what}"
            what = what if some else f"none of {count} replies was a {self._what}"
            told.append(f"{what}, asked twice; the first: {self._silent[0]}")
        if told and not some:
            raise self._failure("; ".join(told), found, total)
        for line in told:
            self._reporter.line(f"warning: {self._who}: {line}")

    def _failure(self, said: str, found: Mapping[str, V | None], total: int) -> RunError:
        done = sum(answer is not None for answer in found.values())
        return RunError(
            f"{self._who} at {self._client.host}: {said}\n{done} of {total} {self._what}s are in "
            f"{self._cache.file}; the same command asks for the others"
        )

    def _ask(self, question: str) -> V | None:
        import openai

        turns = [{"role": "user", "content": characters(question)}]
        try:
            reply = self._reply(turns)
            answer = self._read(reply.text or "")
            if answer is None:
                if reply.text and reply.text.strip():
                    shown = characters(reply.text[:_REPEATED])
                    turns.append({"role": "assistant", "content": shown})
                    turns.append({"role": "user", "content": self._reminder})
                reply = self._reply(turns)
                answer = self._read(reply.text or "")
        except openai.APIStatusError as error:
            if not refuses(error):
                raise
            self._refused.append(self._client.said(error))
            return None
        if answer is None:
            shown = self._client.shown(reply.body)
            self._silent.append(f"'{shown}'" if reply.body else "nothing at all")
        return answer

    def _reply(self, turns: Sequence[Any]) -> Reply:
        import openai

        sampling = self._sampling
        try:
            return Reply.of_chat(self._client.chat(self._model, turns, sampling))
        except openai.BadRequestError as error:
            if not sampling or "temperature" not in str(error):
                raise
        # Some reasoning models accept no temperature but their own.
        self._sampling = {}
        return Reply.of_chat(self._client.chat(self._model, turns, self._sampling))


def _some(found: Mapping[str, object]) -> bool:
    return any(answer is not None for answer in found.values())


def _openai_address() -> Address:
    """What OpenAI's own variables say.

    Raises:
        InputError: they do not say where to ask, or what they say is no address or key.
    """
    key = key_in(_KEY)
    if key is None:
        raise InputError(
            f"set {_KEY} to the endpoint's key (to any word, for one that needs none) and, for "
            f"another than OpenAI's, {_ADDRESS} to its address"
        )
    url = os.environ.get(_ADDRESS) or _DEFAULT
    return Address(checked(url, _ADDRESS), key, _ADDRESS)
