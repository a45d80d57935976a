"""A JSON object in a text of a language model, which likes to fence it and to talk around it."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

_ATTEMPTS = 1000
_CHARACTERS = 1_000_000
"""Characters that may be read in vain: a text may open braces without end."""


_TOO_DEEP = "the JSON in the text is nested too deeply"


class NoJson(ValueError):
    """There is no such thing in the text, for people."""


def find_object(text: str, wanted: Sequence[str]) -> dict[str, Any]:
    r"""The first JSON object of `text` that has the fields `wanted`, whatever stands around it.

    Numbers are given as they are written, as text; line breaks may stand in texts.

    >>> find_object('Sure:\n```json\n{"plan": 1.50}\n```', ["plan"])
    {'plan': '1.50'}

    Raises:
        NoJson: no object has the fields; says what there is.
    """
    nearest: dict[str, Any] | None = None
    for found in _objects(text):
        if all(field in found for field in wanted):
            return found
        if nearest is None or _has(found, wanted) > _has(nearest, wanted):
            nearest = found
    if nearest is None:
        raise NoJson("no JSON object in the text")
    raise NoJson(f"the JSON object in the text {_lacking(nearest, wanted)}")


def only_object(text: str, wanted: Sequence[str]) -> dict[str, Any]:
    """The JSON object that the whole text is.

    Raises:
        NoJson: the text is something else, or lacks one of the fields `wanted`; says what it is.
    """
    try:
        found = _DECODER.decode(text.strip())
    except json.JSONDecodeError as error:
        raise NoJson(f"the text is no JSON: {error.msg} (line {error.lineno})") from None
    except RecursionError:
        raise NoJson(_TOO_DEEP) from None
    if not isinstance(found, dict):
        raise NoJson("the text is JSON, but no object")
    if not all(field in found for field in wanted):
        raise NoJson(f"the JSON object {_lacking(found, wanted)}")
    return found


def _has(found: dict[str, Any], wanted: Sequence[str]) -> int:
    return sum(field in found for field in wanted)


def _lacking(found: dict[str, Any], wanted: Sequence[str]) -> str:
    lacks = next(field for field in wanted if field not in found)
    has = f"it has {', '.join(map(repr, found))}" if found else "it is empty"
    return f"has no field {lacks!r}: {has:.200}"


def _objects(text: str) -> Iterator[dict[str, Any]]:
    """The objects of a text, in order; those inside others are not looked for."""
    at, read = text.find("{"), 0
    for _ in range(_ATTEMPTS):
        if at < 0 or read > _CHARACTERS:
            return
        try:
            found, end = _DECODER.raw_decode(text, at)
            yield found
        except json.JSONDecodeError as error:
            read += max(error.pos - at, 0)
            end = at + 1
        except RecursionError:
            raise NoJson(_TOO_DEEP) from None
        at = text.find("{", end)


def _refuse(constant: str) -> None:
    raise json.JSONDecodeError(f"{constant} is no JSON", "", 0)


_DECODER = json.JSONDecoder(parse_float=str, parse_int=str, parse_constant=_refuse, strict=False)
