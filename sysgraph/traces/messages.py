"""Inputs of `type: messages`: a list of {role, content}, kept in traces as its JSON text."""

import json
from collections.abc import Callable, Mapping
from operator import attrgetter
from typing import TYPE_CHECKING, Any, get_args

from sysgraph_compiler import Program
from sysgraph_schemas.nodes.messages import Role

from .trace import Given, is_broken, is_picture

if TYPE_CHECKING:  # it imports torch
    from .pictures import Picture

_ROLES = get_args(Role)
EXAMPLE = '[{"role": "user", "content": "..."}]'


def messages_text(value: Any) -> str:
    """The text that stands for messages, one and the same for equal ones.

    Args:
        value: a list of {role, content}, or its JSON text.

    Raises:
        ValueError: it is no such list; says what it is instead.
    """
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            raise ValueError(f"expected messages, {EXAMPLE}, got a text") from None
    if not isinstance(value, list | tuple):
        raise ValueError(f"expected messages, {EXAMPLE}, got no list")
    turns = [_turn(number, one) for number, one in enumerate(value, start=1)]
    return json.dumps(turns, ensure_ascii=False)


def _turn(number: int, one: Any) -> dict[str, str]:
    if not isinstance(one, Mapping) or not {"role", "content"} <= one.keys():
        raise ValueError(f"message {number}: expected {EXAMPLE[1:-1]}")
    if one["role"] not in _ROLES:
        raise ValueError(f"message {number}: the role is {one['role']!r:.40}, not {_LEGAL}")
    if not isinstance(one["content"], str) or is_broken(one["content"]):
        raise ValueError(f"message {number}: its content is no text")
    return {"role": one["role"], "content": one["content"]}


_LEGAL = f"{', '.join(_ROLES[:-1])} or {_ROLES[-1]}"


def inputs_by_name(
    program: Program,
    inputs: Mapping[str, Given],
    picture: Callable[["Picture"], str] = attrgetter("name"),
) -> dict[str, Any]:
    """Inputs as files write them: messages as lists.

    Args:
        picture: gives the text that stands for an image.
    """
    lists = {v.name for v in program.variables if v.type == "messages"}
    return {
        name: picture(given)
        if is_picture(given)
        else json.loads(str(given))
        if name in lists
        else given
        for name, given in inputs.items()
    }
