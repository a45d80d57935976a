"""The named parsers of a graph file, run on text."""

from collections.abc import Callable
from functools import cache
from importlib.metadata import entry_points

import regex

from sysgraph_schemas import Json, Lines, ParserSpec, RecordField, Regex, Split, Tagged, Word
from sysgraph_schemas.kinds import package_of
from sysgraph_schemas.parsers import same_option
from sysgraph_schemas.suggest import listed
from sysgraph_schemas.visible import half_character

from ..support.errors import InputError
from .json_text import NoJson, find_object, only_object
from .record import Field, Record

GROUP = "sysgraph.readers"

# A pattern comes from the graph file and a text from a model: neither may hang the run.
_MATCH_SECONDS = 2.0


class ParseFailure(ValueError):
    """The text does not parse."""


Found = list[str] | dict[str, Field]
"""What a parser finds: several texts, of which a parser of one has the first; or a record."""
Parsed = str | tuple[str, ...] | Record
Reader = Callable[..., Found]
"""Called with the parser's settings and a text. Raises ParseFailure."""


def parse(parser: ParserSpec, text: str) -> Parsed:
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
        if isinstance(default, dict):
            return _ordered(parser, {key: _frozen(value) for key, value in default.items()})
        return _frozen(default)


def _frozen(value: str | list[str]) -> Field:
    return value if isinstance(value, str) else tuple(value)


def _ordered(parser: ParserSpec, fields: dict[str, Field]) -> Record:
    return Record({key: fields[key] for key in parser.parts})


def _read(parser: ParserSpec, text: str) -> Parsed:
    found = reader_of(parser.kind)(parser, text)
    if isinstance(found, dict):
        return _ordered(parser, found)
    if parser.value_type == "list[text]":
        return _bounded(found, *parser.bounds)
    if not found:
        raise ParseFailure("nothing matched")
    return _option(found[0], parser.choices) if parser.choices else found[0]


def _bounded(items: list[str], fewest: int, most: int | None, what: str = "") -> tuple[str, ...]:
    if len(items) < fewest:
        raise ParseFailure(f"{what}{len(items)} items, at least {fewest} wanted")
    if most is not None and len(items) > most:
        raise ParseFailure(f"{what}{len(items)} items, at most {most} wanted")
    return tuple(items)


def _option(text: str, options: list[str], what: str = "") -> str:
    """The option that a text is, as the parser has it written."""
    known = {same_option(option): option for option in options}
    found = known.get(same_option(text))
    if found is None:
        raise ParseFailure(f"{what}{text!r:.60} is none of the options {listed(options, 8)}")
    return found


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


def _word(parser: Word, text: str) -> list[str]:
    # Longer ones first: where `ok` stands inside `not ok`, that is what is named.
    words = sorted(map(same_option, parser.options), key=len, reverse=True)
    either = "|".join(r"\s+".join(map(regex.escape, word.split())) for word in words)
    found = _matches(rf"(?<!\w)(?:{either})(?!\w)", text.casefold())
    named = list(dict.fromkeys(map(same_option, found)))
    if not found:
        raise ParseFailure(f"none of the options {listed(parser.options, 8)} is named")
    if parser.which == "only" and len(named) > 1:
        raise ParseFailure(f"several options are named: {listed(named, 8)}")
    return [found[-1 if parser.which == "last" else 0]]


def _json(parser: Json, text: str) -> Found:
    wanted = [key for key, part in parser.parts.items() if not part.optional]
    wanted = wanted if parser.field is None else [parser.field]
    find = only_object if parser.read == "strict" else find_object
    try:
        found = find(text, wanted)
    except NoJson as error:
        raise ParseFailure(str(error)) from error
    if parser.field is None:
        return {key: _field(key, part, found.get(key)) for key, part in parser.parts.items()}
    value, what = found[parser.field], f"the field {parser.field!r}"
    return _texts(what, value) if parser.many else [_text(f"{what} is", value)]


def _field(key: str, part: RecordField, value: object) -> Field:
    what = f"the field {key!r}"
    if value is None and part.optional:
        return () if part.value_type == "list[text]" else ""
    if part.value_type == "list[text]":
        return _bounded(_texts(what, value), part.min_items, part.most, f"{what} has ")
    text = _text(f"{what} is", value)
    return _option(text, part.choices, f"{what}: ") if part.choices else text


def _texts(what: str, value: object) -> list[str]:
    if not isinstance(value, list):
        raise ParseFailure(f"{what} is {_kind(value)}, no list")
    return [_text(f"{what} has an item that is", item) for item in value]


def _text(what: str, value: object) -> str:
    """A text as it is, true and false as JSON writes them; numbers are texts already."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str):
        raise ParseFailure(f"{what} {_kind(value)}, no text or number")
    if half_character(value) is not None:
        # An escape can spell half of a character, which is no text for tokenizers and files.
        raise ParseFailure(f"{what} a text with half of a character")
    return value


def _kind(value: object) -> str:
    names = {dict: "an object", list: "a list", bool: "true or false", str: "a text"}
    return names.get(type(value), "null")


_READERS: dict[str, Reader] = {
    "split": _split,
    "lines": _lines,
    "regex": _regex,
    "tagged": _tagged,
    "word": _word,
    "json": _json,
}


@cache
def reader_of(kind: str) -> Reader:
    """What reads texts for a kind of parser.

    Raises:
        InputError: no package registers one, several do, or it cannot be loaded.
    """
    if kind in _READERS:
        return _READERS[kind]
    found = [point for point in entry_points(group=GROUP) if point.name == kind]
    if len(found) != 1:
        several = " and ".join(sorted(map(package_of, found))) or "no package"
        raise InputError(
            f"{several} registers a reader for parsers of kind {kind!r} (entry-point group {GROUP})"
        )
    (point,) = found
    try:
        reader: Reader = point.load()
    except Exception as error:  # a package may do anything when it is imported
        raise InputError(
            f"the reader of kind {kind!r}, which {package_of(point)} registers as {point.value}, "
            f"cannot be loaded: {type(error).__name__}: {error}"
        ) from error
    return reader
