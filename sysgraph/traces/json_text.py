"""A JSON object in a text of a language model, which likes to fence it and to talk around it."""

import json
from collections.abc import Iterator
from typing import Any

_ATTEMPTS = 1000
_CHARACTERS = 1_000_000
"""Characters that may be read in vain: a text may open braces without end."""


class NoJson(ValueError):
    """There is no such thing in the text, for people."""


def field_of(text: str, field: str) -> Any:
    r"""The value of `field` in the first JSON object of `text` that has it.

    Numbers are given as they are written, as text; line breaks may stand in texts.

    >>> field_of('Sure:\n```json\n{"plan": 1.50}\n```', "plan")
    '1.50'

    Raises:
        NoJson: no object has the field; says what there is.
    """
    keys: list[str] | None = None
    for found in _objects(text):
        if field in found:
            return found[field]
        keys = list(found) if keys is None else keys
    if keys is None:
        raise NoJson("no JSON object in the text")
    has = f"it has {', '.join(map(repr, keys))}" if keys else "it is empty"
    raise NoJson(f"the JSON object in the text has no field {field!r}: {has:.200}")


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
            raise NoJson("the JSON in the text is nested too deeply") from None
        at = text.find("{", end)


def _refuse(constant: str) -> None:
    raise json.JSONDecodeError(f"{constant} is no JSON", "", 0)


_DECODER = json.JSONDecoder(parse_float=str, parse_int=str, parse_constant=_refuse, strict=False)
