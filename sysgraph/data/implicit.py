r"""Preference rows whose sides begin with the prompt, as HH-RLHF's and UltraFeedback's do.

    {"chosen": "\n\nHuman: q\n\nAssistant: a", "rejected": "\n\nHuman: q\n\nAssistant: b"}
    {"chosen": [{"role": "user", ...}, {"role": "assistant", ...}], "rejected": [...]}

The prompt is what both sides begin with, as `trl.data_utils.extract_prompt` finds it.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sysgraph_compiler import Program
from sysgraph_schemas.suggest import closest

from ..traces.trace import input_names
from .shown import BadValue, kind

_TURN = "\n\nAssistant:"
"""What HH-RLHF's dialogues have before an answer."""
_SIDES = ("chosen", "rejected")


def with_prompt(program: Program, fields: Mapping[str, Any]) -> Mapping[str, Any]:
    """The row with a `prompt` of its own, and sides that hold the answers alone.

    Rows that are not so are given as they are.

    Raises:
        BadValue: the sides repeat a prompt, which is not the one that the row gives.
    """
    chosen, rejected = (fields.get(side) for side in _SIDES)
    if len(input_names(program)) != 1 or not chosen or not rejected:
        return fields
    if _are_messages(chosen) and _are_messages(rejected):
        return _of_messages(program, fields, chosen, rejected)
    if isinstance(chosen, str) and isinstance(rejected, str) and _is_implicit(program, fields):
        at = _parting(chosen, rejected)
        if chosen[:at].strip() and (_TURN in chosen[:at] or not _has_other_texts(fields)):
            return _split(fields, at)
    return fields


def _of_messages(
    program: Program, fields: Mapping[str, Any], chosen: Sequence[Any], rejected: Sequence[Any]
) -> Mapping[str, Any]:
    at = _parting([_turn(turn) for turn in chosen], [_turn(turn) for turn in rejected])
    if not at:
        _require_one_prompt(chosen, rejected)
        return fields
    out = _split(fields, at)
    given, repeated = _given(program, fields), chosen[:at]
    if given is None:
        return out
    last = repeated[-1].get("content")
    if _are_messages(given):
        is_same = [_turn(turn) for turn in given] == [_turn(turn) for turn in repeated]
    else:
        is_same = _stripped(last) == _stripped(given)
    if not is_same:
        raise BadValue(
            f"chosen and rejected begin with {kind(last)}, and the row's prompt is {kind(given)}; "
            "expected the same, or the answers alone"
        )
    if fields.get("prompt") is given:
        return out
    if at > 1:
        roles = ", ".join(str(turn.get("role")) for turn in repeated)
        raise BadValue(
            f"chosen and rejected begin with messages by {roles}; expected one user message (a "
            "system prompt or earlier turns belong into the graph's `messages:`)"
        )
    return {**out, "prompt": fields.get("prompt")}


def _require_one_prompt(chosen: Sequence[Any], rejected: Sequence[Any]) -> None:
    first = [side[0] for side in (chosen, rejected)]
    if all(len(side) > 1 for side in (chosen, rejected)) and first[0]["role"] != "assistant":
        one, other = (f"{turn['role']} {turn.get('content')!r:.60}" for turn in first)
        raise BadValue(
            f"chosen begins with {one}, rejected with {other}; expected two answers to one prompt"
        )


def _split(fields: Mapping[str, Any], at: int) -> dict[str, Any]:
    sides = {side: fields[side][at:] for side in _SIDES}
    return {**fields, "prompt": fields["chosen"][:at], **sides}


def _parting(chosen: Sequence[Any], rejected: Sequence[Any]) -> int:
    """Where the sides part: a space before it, and a side's last item, are the answers'."""
    for at, (one, other) in enumerate(zip(chosen, rejected, strict=False)):
        if one != other:
            return at - 1 if at and chosen[at - 1] == " " else at
    return min(len(chosen), len(rejected)) - 1


def _given(program: Program, fields: Mapping[str, Any]) -> Any:
    """What the row itself says that the input is; None where nothing."""
    (name,) = input_names(program)
    nested = fields.get("inputs")
    if isinstance(nested, Mapping):
        return nested.get(name)
    return fields.get(name) if fields.get(name) is not None else fields.get("prompt")


def _is_implicit(program: Program, fields: Mapping[str, Any]) -> bool:
    """Whether nothing in the row is or could be meant as its input, and its answers are texts."""
    (name,) = input_names(program)
    types = {v.type for v in program.variables if v.name in program.outputs}
    others = [key for key in fields if key not in _SIDES]
    nothing = all(fields.get(key) is None for key in ("inputs", "prompt", name))
    return nothing and "image" not in types and closest(name, others) is None


def _has_other_texts(fields: Mapping[str, Any]) -> bool:
    return any(isinstance(v, str | list | Mapping) for k, v in fields.items() if k not in _SIDES)


def _are_messages(value: Any) -> bool:
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(turn, Mapping) and "role" in turn for turn in value)
    )


def _turn(turn: Mapping[str, Any]) -> tuple[Any, Any]:
    return turn.get("role"), turn.get("content")


def _stripped(text: Any) -> Any:
    return text.strip() if isinstance(text, str) else text
