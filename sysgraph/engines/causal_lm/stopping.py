"""Stop strings: where a text ends that is written token by token."""

from collections.abc import Sequence
from functools import lru_cache

from transformers import PreTrainedTokenizerBase

from .detokenizer import decode

_SLACK = 4
"""Tokens at the front of a tail that may decode otherwise than in the whole text: a character of
several bytes has no more, and some tokenizers drop a space before the first."""


class StopStrings:
    """Some strings, in the texts of one tokenizer; none of them: nothing stops."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase, strings: Sequence[str]) -> None:
        self._tokenizer = tokenizer
        self._strings = tuple(strings)
        self._size = max((len(one.encode()) for one in strings), default=0) + _SLACK

    def __bool__(self) -> bool:
        return bool(self._strings)

    def ends(self, ids: Sequence[int]) -> bool:
        """Whether the text of `ids` contains one, where that of all but the last does not.

        Decodes as many tokens as can hold one, and the whole text only where they seem to.
        """
        if not self._strings:
            return False
        return self._is_in(self._tail(ids)) and self._is_in(decode(self._tokenizer, ids))

    def end(self, ids: Sequence[int], ends: Sequence[int]) -> int | None:
        """How many of `ids` a text has that one of `ends`, or of these, ends; None: it goes on."""
        lengths = range(1, len(ids) + 1)
        return next((n for n in lengths if ids[n - 1] in ends or self.ends(ids[:n])), None)

    def before(self, text: str) -> str:
        """The text before the first of them in it: the whole text without any."""
        found = [text.find(one) for one in self._strings if one in text]
        return text[: min(found, default=len(text))]

    def settled(self, text: str) -> str:
        """What is in the value, however a text goes on that begins so."""
        found = self.before(text)
        begun = [one[:size] for one in self._strings for size in range(1, len(one))]
        waits = [len(one) for one in begun if text.endswith(one)] if found == text else []
        return found[: len(found) - max(waits, default=0)]

    def text(self, ids: Sequence[int]) -> str:
        """The value that ids stand for, as they were drawn: the text that they end."""
        return self.before(decode(self._tokenizer, ids))

    def may_give(self, ids: Sequence[int]) -> bool:
        """Whether ids can be drawn: no text before the last of them has ended."""
        return not self._is_in(decode(self._tokenizer, ids[:-1]))

    def _is_in(self, text: str) -> bool:
        return any(one in text for one in self._strings)

    def _tail(self, ids: Sequence[int]) -> str:
        """The end of the text: all tokens in which a string can be that the last one completes.

        A token that is not special has a byte or more. A tail that begins within a character is
        made longer, as all bytes that follow may be lost with it.
        """
        special, left, start = special_ids(self._tokenizer), self._size, len(ids)
        while start > 0:
            start -= 1
            left -= ids[start] not in special
            if left <= 0:
                text = decode(self._tokenizer, ids[start:])
                if not text.startswith("\ufffd"):
                    return text
                left = self._size
        return decode(self._tokenizer, ids)


@lru_cache(maxsize=64)
def special_ids(tokenizer: PreTrainedTokenizerBase) -> frozenset[int]:
    """The tokens that no text shows."""
    added = tokenizer.added_tokens_decoder.items()
    return frozenset([*tokenizer.all_special_ids, *(i for i, token in added if token.special)])
