"""The filters and tests of templates. What each costs is in `costs`, by the same names."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from jinja2 import pass_context
from jinja2.runtime import Context

from .flaw import TemplateError
from .kinds import COPY, Labelled


@dataclass(frozen=True, slots=True)
class Filter:
    """What a filter does, and to what.

    `takes` is the kind of value, `gives` the type of the result ("same": the value's own,
    "element": an item's); `arguments` is the fewest and the most.
    """

    run: Callable[..., Any]
    takes: str
    gives: str
    arguments: tuple[int, int] = (0, 0)


def _replace(text: str, old: object, new: object) -> str:
    return text.replace(str(old), str(new))


def _join(items: Sequence[object], separator: object = "") -> str:
    return str(separator).join(map(str, items))


def _end(position: int) -> Callable[[Sequence[object]], object]:
    def take(items: Sequence[object]) -> object:
        if not items:
            raise TemplateError("`first` and `last` need something in the list")
        return items[position]

    return take


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


@pass_context
def _others(context: Context, items: Sequence[object]) -> list[object]:
    """Without the item of the copy whose prompt it is: that which has all keys that it shares."""
    own = context.get(COPY) or {}

    def is_own(item: object) -> bool:
        place = item.place if isinstance(item, Labelled) else {}
        shared = own.keys() & place.keys()
        if not shared:
            raise TemplateError("`others` needs the copies of a node with a key of this one")
        return all(own[key] == place[key] for key in shared)

    return [item for item in items if not is_own(item)]


OTHERS = "others"
"""The filter that leaves out the copy's own item."""

FILTERS: dict[str, Filter] = {
    "capitalize": Filter(str.capitalize, "text", "text"),
    "first": Filter(_end(0), "list or text", "element"),
    "join": Filter(_join, "list", "text", (0, 1)),
    "last": Filter(_end(-1), "list or text", "element"),
    "length": Filter(len, "list or text", "number"),
    "lower": Filter(str.lower, "text", "text"),
    OTHERS: Filter(_others, "list", "same"),
    "replace": Filter(_replace, "text", "text", (2, 2)),
    "reverse": Filter(lambda items: items[::-1], "list or text", "same"),
    "sort": Filter(sorted, "list", "same"),
    "string": Filter(str, "any", "text"),
    "title": Filter(str.title, "text", "text"),
    "tojson": Filter(_json, "any", "text"),
    "trim": Filter(str.strip, "text", "text"),
    "unique": Filter(lambda items: list(dict.fromkeys(items)), "list", "same"),
    "upper": Filter(str.upper, "text", "text"),
}


def _parity(wanted: int) -> Callable[[Any], bool]:
    def has(number: Any) -> bool:
        if not isinstance(number, int | float):  # `%` of a text would fill it in
            raise TemplateError("`even` and `odd` need a number")
        return number % 2 == wanted

    return has


TESTS: dict[str, Callable[[Any], bool]] = {"even": _parity(0), "odd": _parity(1)}

LOOP: dict[str, str] = {
    "index": "number",
    "index0": "number",
    "revindex": "number",
    "revindex0": "number",
    "first": "true or false",
    "last": "true or false",
    "length": "number",
}
"""The attributes of `loop`, with their types."""
