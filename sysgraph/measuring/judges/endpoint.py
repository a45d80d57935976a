"""A language model behind any OpenAI-compatible endpoint, as a judge."""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast, get_args

from ..asking import Asker
from .base import Comparison, Verdict
from .rubric import PROMPT, REMINDER, prompt, read_reply


class Endpoint:
    """Compares answers by asking a hosted model: see `Asker`, which takes the other arguments."""

    def __init__(self, model: str, *, cache: Path, **options: Any) -> None:
        self.name = f"openai:{model}"
        self._asker: Asker[Verdict] = Asker(
            model,
            who=f"judge {self.name}",
            what="verdict",
            read=read_reply,
            value=_verdict,
            reminder=REMINDER,
            cache=cache,
            **options,
        )
        rubric = hashlib.sha256(f"{PROMPT}\n{REMINDER}".encode()).hexdigest()
        self._identity = f"{self.name} {self._asker.url} {rubric}"

    def compare(
        self, comparisons: Sequence[Comparison], *, advance: Callable[[int], None]
    ) -> list[Verdict | None]:
        """A verdict each; None where two replies, or a refusal to reply, give none.

        Raises:
            RunError: the endpoint keeps failing, refuses all requests, or never gives a verdict;
                verdicts so far are kept.
        """
        keys = [_key(self._identity, comparison) for comparison in comparisons]
        questions = {k: prompt(c) for k, c in zip(keys, comparisons, strict=True)}
        found = self._asker.answers(questions, Counter(keys), advance)
        return [found[key] for key in keys]


def _key(identity: str, comparison: Comparison) -> str:
    """The name of a comparison, in this order, by the judge that `identity` stands for."""
    parts = [identity, dict(comparison.inputs), comparison.a, comparison.b]
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=repr).encode()).hexdigest()


def _verdict(value: object) -> Verdict | None:
    sound = isinstance(value, str) and value in get_args(Verdict)
    return cast("Verdict", value) if sound else None
