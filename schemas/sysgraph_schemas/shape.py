"""What the pydantic models say about a place in the file: its type, in words."""

from collections.abc import Sequence
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic_core import PydanticCustomError

from .diagnostics import Path
from .graph import Graph
from .kinds import Kinds, kind_of
from .models import MODEL_KINDS
from .nodes import NODE_KINDS
from .parsers import PARSER_KINDS
from .spec import Spec, keys_of


@dataclass(frozen=True, slots=True)
class Shape:
    """A place that pydantic names by `loc`: its path in the file, its type, and its section.

    `is_key` is set where the problem is a mapping's key, not its value; `type` is then the key's.
    """

    path: Path
    type: Any
    owner: type[Spec]
    is_key: bool = False


def resolve(loc: Sequence[str | int], section: type[Spec] = Graph) -> Shape:
    """Follows an error's `loc` through the models; pydantic puts labels of unions in between."""
    hint: Any = section
    owner: type[Spec] = section
    path: Path = ()
    is_key = len(loc) > 1 and loc[-1] == "[key]"
    steps = loc[:-1] if is_key else loc
    for number, step in enumerate(steps, 1):
        hint = _bare(hint)
        if members := _members(hint):
            if number == len(steps):
                break  # no member fits: the union as a whole was wanted
            found = next((m for m in members if label(m) == step), None)
            hint = found or _of_package(path, str(step)) or members[0]
            continue
        if is_spec(hint):
            owner = hint
            field = keys_of(hint).get(str(step))
            hint = field.annotation if field else Any
        elif get_origin(hint) is dict:
            hint = get_args(hint)[0 if is_key and number == len(steps) else 1]
        elif get_origin(hint) is list:
            hint = get_args(hint)[0]
        path = (*path, step)
    return Shape(path, hint, owner, is_key)


KINDS: dict[str, Kinds[Any]] = {
    "models": MODEL_KINDS,
    "nodes": NODE_KINDS,
    "parsers": PARSER_KINDS,
}
"""Of the sections to which packages can add."""


def _of_package(path: Path, kind: str) -> type[Spec] | None:
    """The class of a kind that a package adds."""
    kinds = KINDS.get(str(path[0])) if len(path) == 2 else None
    try:
        return kinds.find(kind) if kinds is not None else None
    except PydanticCustomError:  # its fault speaks of it
        return None


def members_of(hint: Any) -> list[Any]:
    """The members of a union, without None; a type that is no union is its own only member."""
    bare = _bare(hint)
    return [_bare(member) for member in _members(bare)] or [bare]


def is_spec(hint: Any) -> bool:
    """Whether the type is a section."""
    return isinstance(hint, type) and issubclass(hint, Spec)


def label(member: Any) -> str:
    """What pydantic calls a member of a union in a `loc`."""
    bare = _bare(member)
    if is_spec(bare):
        return kind_of(bare) or str(bare.__name__)
    if get_origin(bare) is list:
        return f"list[{label(get_args(bare)[0])}]"
    return str(getattr(bare, "__name__", bare))


def in_words(hint: Any, *, plural: bool = False) -> str:
    """`text`, `a whole number`, `a list of text`, ..."""
    if members := _members(_bare(hint)):
        return " or ".join(dict.fromkeys(in_words(m, plural=plural) for m in members))
    bare = _bare(hint)
    if is_spec(bare):
        return f"{str(bare.noun).removeprefix('a ')}s" if plural else "a mapping (key: value)"
    if get_origin(bare) is list:
        return f"{'lists' if plural else 'a list'} of {in_words(get_args(bare)[0], plural=True)}"
    if get_origin(bare) is dict:
        return "mappings" if plural else "a mapping (key: value)"
    if get_origin(bare) is Literal:
        return "one of " + ", ".join(str(value) for value in get_args(bare))
    one, many = _WORDS.get(bare, ("a value", "values"))
    return many if plural else one


_WORDS: dict[Any, tuple[str, str]] = {
    str: ("text", "text"),
    int: ("a whole number", "whole numbers"),
    float: ("a number", "numbers"),
    bool: ("true or false", "true or false"),
}


def value_in_words(value: object) -> str:
    """What a value of a file is: `text`, `a list`, ..."""
    if value is None:
        return "nothing (null)"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, str):
        return "text"
    if isinstance(value, list | dict):
        return "a list" if isinstance(value, list) else "a mapping"
    return f"a Python {type(value).__name__}"


def _members(hint: Any) -> list[Any]:
    if get_origin(hint) not in (Union, UnionType):
        return []
    members = [member for member in get_args(hint) if member is not NoneType]
    return members if len(members) > 1 else []


def _bare(hint: Any) -> Any:
    """Without Annotated, and without `| None`, which pydantic gives no label."""
    while get_origin(hint) is Annotated:
        hint = get_args(hint)[0]
    if get_origin(hint) in (Union, UnionType):
        members = [member for member in get_args(hint) if member is not NoneType]
        if len(members) == 1:
            return _bare(members[0])
    return hint
