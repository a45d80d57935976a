"""What people say of an answer: a thumb or a number, which of two is better, or what is right."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from sysgraph_schemas.suggest import suggestion

from ..traces.trace import is_broken
from .corrections import Side
from .shown import BadValue, kind

MAX_TEXT = 1 << 20
"""Characters of a correction."""
_MAX_NAME = 256
"""Characters of an id, and of a user's name."""
_THUMBS = {"up": 1.0, "down": -1.0}
_KINDS = {
    "rating": ("choice",),
    "better": ("worse",),
    "ranking": (),
    "correction": ("choice",),
}
"""By the field that tells them apart, the kinds of ratings, and the fields that else belong to
one."""


@dataclass(frozen=True)
class Mark:
    """How good one choice is: 1 or -1 by `thumb`, or a `number` on the rater's own scale."""

    choice: int
    value: float
    scale: Literal["thumb", "number"]


@dataclass(frozen=True)
class Ranking:
    """Choices of one answer, the best first; not all need to be there."""

    choices: tuple[int, ...]


@dataclass(frozen=True)
class Correction:
    """What should have been answered in place of a choice."""

    choice: int
    side: Side


@dataclass(frozen=True)
class Rating:
    """What somebody said of the answer `id`. `user` tells people apart; None: not known."""

    id: str
    said: Mark | Ranking | Correction
    user: str | None = None


def id_of(fields: Mapping[str, Any]) -> str:
    """The answer that a rating is about.

    Raises:
        BadValue: it does not say.
    """
    if "id" not in fields:
        raise BadValue("id: missing; expected the id of the answer that is rated")
    return _name(fields["id"], "id")


def read_rating(fields: Mapping[str, Any], choices: int) -> Rating:
    """A rating of an answer that had so many choices.

    It is {"id": ...} with one of "rating" ("up", "down" or a number), "better" and "worse" (the
    numbers of two choices), "ranking" (numbers of choices, the best first), and "correction" (a
    text, or a text by output). "choice" is the number of the choice that is meant, from 0 on, and
    may be absent where there is one; "user" is whoever says so.

    Raises:
        BadValue: it is none.
    """
    id, found = id_of(fields), _kind(fields)
    legal = ("id", found, *_KINDS[found], "user")
    for name in fields:
        if name not in legal:
            raise BadValue(f"{name}: no such field; {suggestion(name, legal, 'expected')}")
    user = None if fields.get("user") is None else _name(fields["user"], "user")
    if found in ("better", "ranking"):
        return Rating(id, Ranking(_ranked(fields, choices)), user)
    choice = _choice(fields, choices)
    if found == "rating":
        return Rating(id, _mark(fields["rating"], choice), user)
    return Rating(id, Correction(choice, _side(fields["correction"])), user)


def _kind(fields: Mapping[str, Any]) -> str:
    found = [name for name in _KINDS if fields.get(name) is not None]
    if len(found) != 1:
        legal = "rating, better (with worse), ranking and correction"
        raise BadValue(f"expected one of {legal}; got {' and '.join(found) or 'none of them'}")
    return found[0]


def _mark(given: Any, choice: int) -> Mark:
    if isinstance(given, str) and given in _THUMBS:
        return Mark(choice, _THUMBS[given], "thumb")
    is_number = isinstance(given, int | float) and not isinstance(given, bool)
    try:
        number = float(given) if is_number else math.nan
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise BadValue(f'rating: expected "up", "down" or a number, got {kind(given)}')
    return Mark(choice, number, "number")


def _ranked(fields: Mapping[str, Any], choices: int) -> tuple[int, ...]:
    """The numbers of choices, the best first."""
    if fields.get("ranking") is None:
        named = {"better": fields["better"], "worse": fields.get("worse")}
    elif isinstance(fields["ranking"], list) and 2 <= len(fields["ranking"]) <= choices:
        named = {f"ranking[{i}]": number for i, number in enumerate(fields["ranking"])}
    else:
        most = f"2 to {choices}" if choices > 1 else "several, and this answer has one"
        raise BadValue(f"ranking: expected a list of choices, {most}")
    numbers = tuple(_number(name, given, choices) for name, given in named.items())
    if len(set(numbers)) < len(numbers):
        raise BadValue(f"{', '.join(named)}: expected different choices, got one twice")
    return numbers


def _choice(fields: Mapping[str, Any], choices: int) -> int:
    if fields.get("choice") is None:
        if choices == 1:
            return 0
        raise BadValue(f"choice: missing; this answer has {choices}: expected 0 to {choices - 1}")
    return _number("choice", fields["choice"], choices)


def _number(name: str, given: Any, choices: int) -> int:
    if type(given) is not int or not 0 <= given < choices:
        legal = f"0 to {choices - 1}" if choices > 1 else "0, the only choice"
        raise BadValue(f"{name}: expected {legal}, got {kind(given)}")
    return given


def _side(given: Any) -> Side:
    texts = list(given.values()) if isinstance(given, dict) else [given]
    if not texts or not all(isinstance(text, str) for text in texts):
        raise BadValue(f"correction: expected a text, or texts by output, got {kind(given)}")
    if sum(map(len, texts)) > MAX_TEXT:
        raise BadValue(f"correction: expected at most {MAX_TEXT:,} characters")
    if any(map(is_broken, texts)):
        raise BadValue("correction: it holds half of a character")
    return given if isinstance(given, str) else dict(given)


def _name(given: Any, field: str) -> str:
    if not isinstance(given, str) or not 0 < len(given) <= _MAX_NAME or is_broken(given):
        raise BadValue(f"{field}: expected a text of 1 to {_MAX_NAME} characters")
    return given
