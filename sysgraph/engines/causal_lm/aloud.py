"""Texts that are told while they are written, token by token."""

from collections.abc import Mapping, Sequence
from functools import lru_cache

from transformers import PreTrainedTokenizerBase

from ..asked import Listener
from .detokenizer import decode
from .stopping import StopStrings, special_ids


class Aloud:
    """Some of the texts that are written side by side, told as they grow.

    Each that is told begins with the one told before, and the whole text with the last: half a
    character, and what may turn out to be a stop string, wait.

    Args:
        listeners: by a text's number.
    """

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerBase,
        stops: StopStrings,
        listeners: Mapping[int, Listener],
    ) -> None:
        self._stops, self._listeners = stops, listeners
        self._growing = {text: _Growing(tokenizer) for text in listeners}

    def __call__(self, text: int, ids: Sequence[int]) -> bool:
        """Tells what the ids of a text add to it, one id after the other; whether it goes on."""
        listener = self._listeners.get(text)
        if listener is None:
            return True
        if listener.hear is not None:
            grown = self._growing[text].after(ids)
            if grown is not None:
                listener.hear(self._stops.settled(grown))
        return listener.waits()


class _Growing:
    """A text, decoded a few tokens at a time.

    Attributes:
        text: of the first `_end` ids.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        self._tokenizer, self._unsure = tokenizer, _unsure(tokenizer)
        # Tokens are decoded once more with the next ones: some begin otherwise at a text's start.
        self._start = self._end = 0
        self.text = ""

    def after(self, ids: Sequence[int]) -> str | None:
        """The text of ids; None where what follows may still change its end."""
        if ids[-1] in self._unsure:
            return None
        before = decode(self._tokenizer, ids[self._start : self._end])
        found = decode(self._tokenizer, ids[self._start :])
        if found.endswith("\ufffd") or not found.startswith(before) or found == before:
            return None
        self.text += found[len(before) :]
        self._start, self._end = self._end, len(ids)
        return self.text


@lru_cache(maxsize=64)
def _unsure(tokenizer: PreTrainedTokenizerBase) -> frozenset[int]:
    """The tokens that are bytes, and the special ones that no text shows.

    A byte that fits no character spoils those before it, too, special tokens between them or not.
    """
    known = tokenizer.get_vocab()
    names = (f"<0x{byte:02X}>" for byte in range(256))
    return frozenset(known[name] for name in names if name in known) | special_ids(tokenizer)
