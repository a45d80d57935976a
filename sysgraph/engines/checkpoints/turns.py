"""How a chat template writes the turn of an assistant: what stands before and after its text."""

from dataclasses import dataclass
from functools import lru_cache

from transformers import PreTrainedTokenizerBase

from ...support.errors import InputError
from ...traces.prompt import ChatTurn
from .chat import chat_template, chat_text, encode_rendered

MARK = "Sysgraph"
"""The contents of messages that are rendered to see where contents go."""


@dataclass(frozen=True)
class FinishedTurn:
    """An assistant's turn in a rendered chat.

    `before`: what it begins with that the generation prompt lacks; `after`: what follows its text;
    `end`: the special token that `after` begins with, None if it begins with none.
    """

    before: str
    after: str
    end: int | None


def finished_turn(tokenizer: PreTrainedTokenizerBase) -> FinishedTurn | None:
    """How the tokenizer's chat template writes an answer.

    None if there is no template, or it takes no question with an answer.
    """
    try:
        return _finished_turn(tokenizer, chat_template(tokenizer))
    except InputError:
        return None


@lru_cache(maxsize=64)
def _finished_turn(tokenizer: PreTrainedTokenizerBase, template: str) -> FinishedTurn | None:
    asked, answer = ChatTurn("user", f"{MARK}1"), ChatTurn("assistant", f"{MARK}2")
    prompt = chat_text(tokenizer, (asked,), add_generation_prompt=True)
    whole, found, after = chat_text(tokenizer, (asked, answer)).rpartition(answer.content)
    if not found:
        return None
    before = whole[len(prompt) :] if whole.startswith(prompt) else ""
    return FinishedTurn(before, after, _end(tokenizer, after))


def _end(tokenizer: PreTrainedTokenizerBase, after: str) -> int | None:
    special = {*tokenizer.all_special_ids, *tokenizer.added_tokens_decoder}
    for token in encode_rendered(tokenizer, after):
        if token in special:
            return token
        if str(tokenizer.decode([token])).strip():
            return None
    return None
