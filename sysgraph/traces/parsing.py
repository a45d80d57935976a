"""The named parsers of a graph file, run on text."""

from collections.abc import Callable

import regex

from sysgraph_schemas import Json, Lines, ParserSpec, Regex, Split, Tagged
from sysgraph_schemas.visible import half_character

from .json_text import NoJson, field_of

# A pattern comes from the graph file and a text from a model: neither may hang the run.
_MATCH_SECONDS = 2.0


class ParseFailure(ValueError):
    """The text does not parse."""


def parse(parser: ParserSpec, text: str) -> str | tuple[str, ...]:
    """The parser's value for `text`, its default where the failure policy has one.

    Raises:
        ParseFailure: the text does not parse and the policy gives no default.
    """
    try:
        return _read(parser, text)
    except ParseFailure:
        if parser.on_failure != "default" or parser.default is None:
            raise
        default = parser.default
        return default if isinstance(default, str) else tuple(default)


def _read(parser: ParserSpec, text: str) -> str | tuple[str, ...]:
    items = _FINDERS[type(parser)](parser, text)
    if not isinstance(parser, Split | Lines) and not parser.many:
        if not items:
            raise ParseFailure("nothing matched")
        return items[0]
    if len(items) < parser.min_items:
        raise ParseFailure(f"{len(items)} items, at least {parser.min_items} wanted")
    if parser.max_items is not None and len(items) > parser.max_items:
        raise ParseFailure(f"{len(items)} items, at most {parser.max_items} wanted")
    return tuple(items)


def _stripped(parts: list[str]) -> list[str]:
    return [part.strip() for part in parts if part.strip()]


def _split(parser: Split, text: str) -> list[str]:
    return _stripped(text.split(parser.separator))


def _lines(parser: Lines, text: str) -> list[str]:
    return _stripped(text.splitlines())


def _regex(parser: Regex, text: str) -> list[str]:
    return _matches(parser.pattern, text)


def _tagged(parser: Tagged, text: str) -> list[str]:
    tag = regex.escape(parser.tag)
    return [item.strip() for item in _matches(rf"(?s)<{tag}>(.*?)</{tag}>", text)]


def _matches(pattern: str, text: str) -> list[str]:
    try:
        found = list(regex.finditer(pattern, text, timeout=_MATCH_SECONDS))
    except TimeoutError as error:
        raise ParseFailure(f"the pattern took over {_MATCH_SECONDS} s on this text") from error
    return [m.group(1 if m.re.groups else 0) or "" for m in found]


def _json(parser: Json, text: str) -> list[str]:
    try:
        value = field_of(text, parser.field)
    except NoJson as error:
        raise ParseFailure(str(error)) from error
    if parser.many and not isinstance(value, list):
        raise ParseFailure(f"the field {parser.field!r} is {_kind(value)}, no list")
    items = value if parser.many else [value]
    return [_scalar(item, parser) for item in items]


def _scalar(value: object, parser: Json) -> str:
    """A text as it is, true and false as JSON writes them; numbers are texts already."""
    where = f"the field {parser.field!r} " + ("has an item that is" if parser.many else "is")
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str):
        raise ParseFailure(f"{where} {_kind(value)}, no text or number")
    if half_character(value) is not None:
        # An escape can spell half of a character, which is no text for tokenizers and files.
        raise ParseFailure(f"{where} a text with half of a character")
    return value


def _kind(value: object) -> str:
    names = {dict: "an object", list: "a list", bool: "true or false", str: "a text"}
    return names.get(type(value), "null")


_FINDERS: dict[type, Callable[..., list[str]]] = {
    Split: _split,
    Lines: _lines,
    Regex: _regex,
    Tagged: _tagged,
    Json: _json,
}
