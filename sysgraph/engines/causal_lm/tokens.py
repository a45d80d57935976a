"""From (prompt, completion) to token ids: the very ids of sampling, or TRL's for plain text."""

from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from typing import NamedTuple

from transformers import PreTrainedTokenizerBase

from ...support.errors import InputError
from ...traces.prompt import ChatTurn, Context
from ...traces.trace import Completion
from ..checkpoints.batching import Ids, common_prefix
from ..checkpoints.chat import chat_text, encode_rendered
from ..checkpoints.turns import finished_turn
from .detokenizer import decode
from .stopping import StopStrings


class Encoded(NamedTuple):
    """Token ids of a prompt and of the completion that is scored."""

    prompt: tuple[int, ...]
    completion: tuple[int, ...]

    @property
    def ids(self) -> tuple[int, ...]:
        """All of them, as the model sees them."""
        return self.prompt + self.completion


Tokenize = Callable[[str, bool], Ids]
"""The ids of a text, with the special tokens that go around texts or without."""


def encode_prompt(
    tokenizer: PreTrainedTokenizerBase, context: Context, tokenize: Tokenize | None = None
) -> tuple[int, ...]:
    """The prompt as sampling sees it: text, or a chat template with its generation prompt.

    It begins with one beginning-of-sequence token at most, and what the tokenizer ends texts with
    is left out: a prompt goes on.

    Args:
        tokenize: gives the ids of the prompt's text; None: the tokenizer does.

    Raises:
        InputError: no token would come before the first one to predict.
    """
    tokenize = tokenize or partial(_tokenized, tokenizer)
    ids = _prompt_ids(tokenizer, prompt_text(tokenizer, context), context, tokenize)
    if not ids:
        raise InputError(
            "the prompt is empty and the tokenizer adds no beginning-of-sequence token"
        )
    return ids


def prompt_text(tokenizer: PreTrainedTokenizerBase, context: Context) -> str:
    """The text of a prompt, in which an image of a chat stands as the chat template has it.

    Raises:
        InputError: the template does not take the messages.
    """
    if isinstance(context, str):
        return context
    return chat_text(tokenizer, context, add_generation_prompt=True)


def encode(
    tokenizer: PreTrainedTokenizerBase,
    context: Context,
    value: Completion,
    *,
    vocabulary: int,
    stop: Sequence[str] = (),
    tokenize: Tokenize | None = None,
) -> Encoded:
    """Prompt and completion ids.

    Ids that sampling stored are used as they are, if this tokenizer is the one that made them:
    those of a text that a stop string ended have it at their end, and the text does not. Text
    is tokenized together with its prompt, ended by the end-of-sequence token, and cut where the two
    tokenizations part, as TRL 1.16 does (`DPOTrainer._prepare_dataset`). TRL cuts both sides of a
    pair where the first of them parts: the same, unless on one side alone a token reaches back into
    the prompt. A chat's last turn is the template's, where that is the prompt of sampling with the
    text and an end after it; where the template edits the text, or begins a finished turn otherwise
    than one to be written, the text is scored as it would be sampled.

    Args:
        vocabulary: number of ids that the model knows; stored ids beyond it are another model's.
        stop: the strings at which sampling ends a text.
        tokenize: as for `encode_prompt`.

    Raises:
        InputError: no token would come before the first one to score.
    """
    tokenize = tokenize or partial(_tokenized, tokenizer)
    prompt = encode_prompt(tokenizer, context, tokenize)
    stops = StopStrings(tokenizer, stop)
    if value.ids and _made(tokenizer, value.ids, value.text, vocabulary, stops):
        return Encoded(prompt, value.ids)
    if isinstance(context, str):
        text = context + _ended(value.text, tokenizer.eos_token)
    else:
        text = _with_answer(tokenizer, context, value.text)
    whole = _prompt_ids(tokenizer, text, context, tokenize)
    shared = common_prefix(prompt, whole)
    if not shared:
        raise InputError(
            "prompt and text merge into one first token, so no token comes before what is scored"
        )
    return Encoded(whole[:shared], whole[shared:])


def _with_answer(
    tokenizer: PreTrainedTokenizerBase, context: tuple[ChatTurn, ...], text: str
) -> str:
    """A chat with its answer, as the template writes it or as sampling would."""
    prompt = chat_text(tokenizer, context, add_generation_prompt=True)
    turn = finished_turn(tokenizer)
    if turn is None or turn.end is None:
        return prompt + _ended(text, tokenizer.eos_token)
    sampled = prompt + _ended(text, str(tokenizer.convert_ids_to_tokens(turn.end)))
    try:
        whole = chat_text(tokenizer, (*context, ChatTurn("assistant", text)))
    except InputError:  # what can be sampled can be scored
        return sampled
    if whole.startswith(prompt) and _unspaced(whole[len(prompt) :]) == _unspaced(
        sampled[len(prompt) :]
    ):
        return whole
    return sampled


def _unspaced(text: str) -> str:
    return "".join(text.split())


def _ended(text: str, end: str) -> str:
    return text if text.endswith(end) else text + end


def _tokenized(tokenizer: PreTrainedTokenizerBase, text: str, special: bool) -> Ids:
    return tuple(tokenizer(text)["input_ids"]) if special else encode_rendered(tokenizer, text)


def _prompt_ids(
    tokenizer: PreTrainedTokenizerBase, text: str, context: Context, tokenize: Tokenize
) -> Ids:
    """Of a text that the context begins: a chat's has its special tokens already."""
    if not isinstance(context, str):
        return _begun_once(tokenizer, tokenize(text, False))
    ids, added = tokenize(text, True), _appended(tokenizer)
    if added and ids[-len(added) :] == added:
        ids = ids[: -len(added)]
    return _begun_once(tokenizer, ids)


def _begun_once(tokenizer: PreTrainedTokenizerBase, ids: tuple[int, ...]) -> tuple[int, ...]:
    """Prompts may say the beginning token that the tokenizer, or the template, adds too."""
    begin = tokenizer.bos_token_id
    while begin is not None and ids[:2] == (begin, begin):
        ids = ids[1:]
    return ids


@lru_cache(maxsize=64)
def _appended(tokenizer: PreTrainedTokenizerBase) -> tuple[int, ...]:
    """What the tokenizer puts after every text."""
    bare = tuple(tokenizer("a", add_special_tokens=False)["input_ids"])
    whole = tuple(tokenizer("a")["input_ids"])
    for start in range(len(whole) - len(bare) + 1):
        if bare and whole[start : start + len(bare)] == bare:
            return whole[start + len(bare) :]
    return ()


def _made(
    tokenizer: PreTrainedTokenizerBase,
    ids: Sequence[int],
    text: str,
    vocabulary: int,
    stops: StopStrings,
) -> bool:
    if min(ids) < 0 or max(ids) >= vocabulary:
        return False
    return decode(tokenizer, ids) == text or (stops.text(ids) == text and stops.may_give(ids))
