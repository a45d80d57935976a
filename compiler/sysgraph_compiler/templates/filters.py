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
    "element": an item's); `arguments` is the fewest and the most. `about` says it to people,
    `example` is a template (over `reference.VALUES`), `shown` how its arguments are written.
    """

    run: Callable[..., Any]
    takes: str
    gives: str
    about: str
    example: str
    arguments: tuple[int, int] = (0, 0)
    shown: str = ""


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
    "capitalize": Filter(
        str.capitalize,
        "text",
        "text",
        "its first letter large, the others small",
        "{{ draft[0] | capitalize }}",
    ),
    "first": Filter(
        _end(0),
        "list or text",
        "element",
        "its first element",
        "{{ draft | first }}",
    ),
    "join": Filter(
        _join,
        "list",
        "text",
        "its elements as one text, with the separator between them",
        '{{ draft | join("; ") }}',
        (0, 1),
        '(", ")',
    ),
    "last": Filter(
        _end(-1),
        "list or text",
        "element",
        "its last element",
        "{{ draft | last }}",
    ),
    "length": Filter(
        len,
        "list or text",
        "number",
        "how many elements or characters",
        "{{ draft | length }}",
    ),
    "lower": Filter(
        str.lower,
        "text",
        "text",
        "in small letters",
        '{{ "Ada" | lower }}',
    ),
    OTHERS: Filter(
        _others,
        "list",
        "same",
        "without the item of the copy whose prompt it is",
        "{% for a in argument | others %}{{ a.agent }}: {{ a }}{% endfor %}",
    ),
    "replace": Filter(
        _replace,
        "text",
        "text",
        "with another text in place of one",
        '{{ draft[0] | replace("red", "green") }}',
        (2, 2),
        '("a", "b")',
    ),
    "reverse": Filter(
        lambda items: items[::-1],
        "list or text",
        "same",
        "the other way around",
        '{{ draft | reverse | join("; ") }}',
    ),
    "sort": Filter(
        sorted,
        "list",
        "same",
        "in the order of the alphabet",
        '{{ ["b", "a"] | sort | join }}',
    ),
    "string": Filter(
        str,
        "any",
        "text",
        "as a text",
        "{{ round | string }}",
    ),
    "title": Filter(
        str.title,
        "text",
        "text",
        "every word with a large letter",
        "{{ draft[0] | title }}",
    ),
    "tojson": Filter(
        _json,
        "any",
        "text",
        "as JSON",
        "{{ draft | tojson }}",
    ),
    "trim": Filter(
        str.strip,
        "text",
        "text",
        "without white space around it",
        '{{ "  a " | trim }}',
    ),
    "unique": Filter(
        lambda items: list(dict.fromkeys(items)),
        "list",
        "same",
        "each element once",
        '{{ ["a", "b", "a"] | unique | join }}',
    ),
    "upper": Filter(
        str.upper,
        "text",
        "text",
        "in large letters",
        '{{ "Ada" | upper }}',
    ),
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
