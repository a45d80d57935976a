"""One hosted model: what its server is asked for a draw, and what it said to those before."""

import hashlib
import json
import time
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

from sysgraph_schemas import Decoding, Endpoint

from ...support.progress import Reporter
from ...toys.cache import cache_root
from ..asked import Draw, Refused
from .cache import Replies
from .client import Client, characters, file_of, refuses
from .replies import Reply

if TYPE_CHECKING:
    import openai

_READINGS = 3
"""How often a draw is asked about whose replies hold no text."""
_PAUSE = 0.5
"""Seconds before the second of them."""
_SEEDS = 2**31
"""Servers take seeds below it."""


@dataclass(frozen=True)
class Dialect:
    """What servers that say they speak the protocol differ in."""

    length: str = "max_tokens"
    """What the longest completion is called; of newer models of OpenAI's, otherwise."""
    seeded: bool = True
    """Whether a request may hold a seed."""

    def after(self, complaint: str) -> Self | None:
        """What to try where a server refused a request with this text; None: nothing else."""
        if self.length not in ("max_completion_tokens",) and "max_completion_tokens" in complaint:
            return type(self)("max_completion_tokens", self.seeded)
        if self.seeded and "seed" in complaint:
            return type(self)(self.length, False)
        return None


class Served:
    """A model at its server. Threads may ask it at once.

    Args:
        name: in the graph.
        spec: what the graph says of it.
        client: of its server.
    """

    def __init__(self, name: str, spec: Endpoint, client: Client, reporter: Reporter) -> None:
        self.name, self.client = name, client
        self._spec, self._reporter = spec, reporter
        file = cache_root() / "endpoints" / file_of(spec.id)
        self.replies: Replies[str] = Replies(file, "text", _text, reporter)
        self._dialect = Dialect()
        self.has_answered = False

    @cached_property
    def known(self) -> dict[str, str]:
        """The texts that were given so far, by key, in this process or an earlier one."""
        return self.replies.read()

    def key(self, draw: Draw) -> str:
        """The name of what is asked for a draw, of this model at this server."""
        settings = dict(self._decoding(draw).given)
        parts = [self.client.url, self._spec.id, draw.context, settings, self._seed(draw)]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()

    def keep(self, key: str, text: str) -> None:
        """Notes what was given for a key, on disk too."""
        self.known[key] = text
        self.replies.add(key, text)

    def ask(self, draw: Draw) -> str | Refused:
        """The text for a draw, or why there is none: refused, or no text in several replies.

        Raises:
            openai.OpenAIError: the server fails, whatever it is asked.
        """
        import openai

        reply = Reply("", None)
        for number in range(_READINGS):
            time.sleep(_PAUSE * number)
            try:
                reply = self._reply(draw)
            except openai.APIStatusError as error:
                if not refuses(error):
                    raise
                return Refused(f"{self.client.host} refused it: {self.client.said(error)}")
            if reply.text is not None:
                self.has_answered = True
                return characters(reply.text)
        shown = f"'{self.client.shown(reply.body)}'" if reply.body.strip() else "nothing at all"
        return Refused(f"{_READINGS} replies of {self.client.host} held no text, the last: {shown}")

    def _reply(self, draw: Draw) -> Reply:
        import openai

        while True:
            dialect = self._dialect
            try:
                return self._send(draw, dialect)
            except openai.APIStatusError as error:
                if not refuses(error):
                    raise
                other = dialect.after(str(error))
                if self._dialect != dialect:  # another thread has found what it takes
                    continue
                if other is None:
                    raise
                self._change(dialect, other)

    def _change(self, before: Dialect, after: Dialect) -> None:
        self._dialect = after
        if before.seeded and not after.seeded:
            self._reporter.warning(
                f"{self.client.host} takes no seed: what {self.name!r} says is drawn by the server "
                f"as it likes, and kept in {self.replies.file}"
            )

    def _send(self, draw: Draw, dialect: Dialect) -> Reply:
        spec, decoding = self._spec, self._decoding(draw)
        settings: dict[str, Any] = {dialect.length: decoding.max_new_tokens, **decoding.warp}
        if decoding.stop:
            settings["stop"] = list(decoding.stop)
        if dialect.seeded:
            settings["seed"] = self._seed(draw) % _SEEDS
        if isinstance(draw.context, str):
            prompt = characters(draw.context)
            return Reply.of_text(self.client.complete(spec.id, prompt, settings))
        turns = [{"role": t.role, "content": characters(t.content)} for t in draw.context]
        return Reply.of_chat(self.client.chat(spec.id, turns, settings))

    def _seed(self, draw: Draw) -> int:
        return 0 if self._decoding(draw).is_greedy else draw.seed

    def _decoding(self, draw: Draw) -> Decoding:
        """How the text is drawn: as the node says, else the model."""
        return draw.decoding.over(self._spec.decoding)


def failed(served: Served, error: "openai.OpenAIError") -> str:
    """What is said of a server that fails, whatever it is asked."""
    hint = ""
    if getattr(error, "status_code", None) == 404:
        hint = (
            "; is the address right, up to /v1, and the model's id? A server without completions "
            "takes `messages` alone"
        )
    return f"model {served.name!r} at {served.client.host}: {served.client.said(error)}{hint}"


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
