"""What a chat template makes of a node's messages: found once, by node, before anything runs."""

from collections.abc import Iterator, Sequence
from functools import lru_cache

from transformers import PreTrainedTokenizerBase

from ...traces.prompt import ChatTurn, Illustrated
from .chat import chat_template, chat_text, rendered_chat
from .turns import MARK, finished_turn


def prompt_oddities(
    tokenizer: PreTrainedTokenizerBase, roles: Sequence[str], *, answers: bool
) -> Iterator[str]:
    """What is odd about prompts of these roles, for people.

    Args:
        answers: the model writes the next turn.

    Raises:
        InputError: the template does not take these roles.
    """
    found = rendered_chat(tokenizer, _marked(roles), add_generation_prompt=answers)
    if found.varies:
        yield f"its chat template {found.varies}: the same prompt differs between runs"
    lost = _lost(tokenizer, chat_template(tokenizer), tuple(roles))
    if lost:
        is_all = len(lost) == len(roles)
        turns = "every message" if is_all else _listed([roles[i] for i in lost])
        instead = "use `prompt:`" if is_all else "say it in another message, or use `prompt:`"
        yield (
            f"its chat template leaves out what {turns} says, so that it does not reach the "
            f"model: {instead}"
        )
    if answers:
        yield from _oddities_of_answers(tokenizer)


def changed_turns(tokenizer: PreTrainedTokenizerBase, turns: Sequence[ChatTurn]) -> str | None:
    """What the template changes in these messages though it leaves their roles in.

    Raises:
        InputError: the template does not take the messages.
    """
    text = chat_text(tokenizer, turns, add_generation_prompt=True)
    roles = tuple(turn.role for turn in turns)
    lost = _lost(tokenizer, chat_template(tokenizer), roles)
    changed = [
        f"{turn.role} (message {i + 1})"
        for i, turn in enumerate(turns)
        if i not in lost and any(said.strip() not in text for said in _texts(turn))
    ]
    if not changed:
        return None
    return f"the chat template changes what {' and '.join(changed)} says"


def _texts(turn: ChatTurn) -> tuple[str, ...]:
    """What a message says, without its images."""
    if not isinstance(turn.content, Illustrated):
        return (turn.content,)
    return tuple(part for part in turn.content.parts if isinstance(part, str))


def _oddities_of_answers(tokenizer: PreTrainedTokenizerBase) -> Iterator[str]:
    turn = finished_turn(tokenizer)
    if turn is None:
        return
    if turn.before.strip():
        yield (
            f"its chat template begins a finished turn with {turn.before!r}, and not the turn that "
            "is to be written: texts are scored as they are sampled, without it"
        )
    if turn.end is None and turn.after.strip():
        yield (
            f"its chat template ends a turn with {turn.after!r}, which is no special token of the "
            f"tokenizer: samples end with {tokenizer.eos_token!r}, and texts are scored so"
        )


@lru_cache(maxsize=256)
def _lost(
    tokenizer: PreTrainedTokenizerBase, template: str, roles: tuple[str, ...]
) -> tuple[int, ...]:
    """The messages whose contents the template does not print."""
    turns = _marked(roles)
    text = chat_text(tokenizer, turns, add_generation_prompt=True).casefold()
    return tuple(i for i, turn in enumerate(turns) if turn.content.casefold() not in text)


def _marked(roles: Sequence[str]) -> tuple[ChatTurn, ...]:
    """Messages of these roles with contents that nothing else says."""
    return tuple(ChatTurn(role, f"{MARK}{i:03d}") for i, role in enumerate(roles))


def _listed(roles: Sequence[str]) -> str:
    distinct = list(dict.fromkeys(roles))
    return " and ".join(f"the {role} message" for role in distinct)
