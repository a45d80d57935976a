"""Messages as text and as token ids, through a tokenizer's chat template."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from transformers import PreTrainedTokenizerBase

from sysgraph_compiler import TemplateError

from ...support.errors import InputError
from ...traces.prompt import ChatTurn, Illustrated
from .chat_template import Refused, Rendered, render_chat


def encode_chat(
    tokenizer: PreTrainedTokenizerBase,
    turns: Sequence[ChatTurn],
    *,
    add_generation_prompt: bool = False,
) -> tuple[int, ...]:
    """The ids of a chat.

    Raises:
        InputError: there is no template, or it does not take these messages.
    """
    text = chat_text(tokenizer, turns, add_generation_prompt=add_generation_prompt)
    return encode_rendered(tokenizer, text)


def encode_rendered(tokenizer: PreTrainedTokenizerBase, text: str) -> tuple[int, ...]:
    """The ids of a rendered chat: its template writes the special tokens itself."""
    return tuple(tokenizer(text, add_special_tokens=False)["input_ids"])


def chat_text(
    tokenizer: PreTrainedTokenizerBase,
    turns: Sequence[ChatTurn],
    *,
    add_generation_prompt: bool = False,
) -> str:
    """The text of a chat: what `apply_chat_template` gives.

    Raises:
        InputError: as for `encode_chat`.
    """
    return rendered_chat(tokenizer, turns, add_generation_prompt=add_generation_prompt).text


def rendered_chat(
    tokenizer: PreTrainedTokenizerBase,
    turns: Sequence[ChatTurn],
    *,
    add_generation_prompt: bool = False,
) -> Rendered:
    """The text of a chat, and whether another run can give another one.

    A content with images is given to the template as the parts that transformers' own has them as;
    so is one without to a template that prints no other.

    Raises:
        InputError: as for `encode_chat`.
    """
    try:
        return render_chat(
            chat_template(tokenizer),
            [_message(tokenizer, turn) for turn in turns],
            add_generation_prompt=add_generation_prompt,
            special_tokens=tokenizer.special_tokens_map,
        )
    except Refused as error:
        raise InputError(f"the model's chat template refuses these messages: {error}") from error
    except TemplateError as error:
        raise InputError(f"the model's chat template fails: {error}") from error


def _message(tokenizer: PreTrainedTokenizerBase, turn: ChatTurn) -> dict[str, Any]:
    content: Any = turn.content
    if isinstance(content, Illustrated):
        content = [_part(part) for part in content.parts]
    elif _takes_parts_alone(chat_template(tokenizer)):
        content = [_part(content)]
    return {"role": turn.role, "content": content}


def _part(part: object) -> dict[str, Any]:
    return {"type": "text", "text": part} if isinstance(part, str) else {"type": "image"}


@lru_cache(maxsize=64)
def _takes_parts_alone(template: str) -> bool:
    """Whether it prints contents that are lists of parts, and no texts."""
    mark = "Sysgraph"

    def prints(content: Any) -> bool:
        asked = [{"role": "user", "content": content}]
        try:
            found = render_chat(template, asked, add_generation_prompt=True, special_tokens={})
        except TemplateError:
            return False
        return mark.casefold() in found.text.casefold()

    return not prints(mark) and prints([_part(mark)])


def chat_template(tokenizer: PreTrainedTokenizerBase) -> str:
    """The tokenizer's chat template; of several, the one named `default`.

    Raises:
        InputError: there is none.
    """
    found: str | dict[str, str] | None = tokenizer.chat_template
    if not found:
        raise InputError(
            "`messages:` needs a chat template and this tokenizer has none: use `prompt:`"
        )
    if isinstance(found, str):
        return found
    if "default" not in found:
        raise InputError(
            f"the tokenizer has the chat templates {', '.join(sorted(found))} and none named "
            "`default`: use `prompt:`, or name one of them so in the checkpoint"
        )
    return found["default"]
