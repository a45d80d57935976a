"""What differs between what was and what is, for people: each setting with both its values."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_SHOWN = 5
_WIDTH = 80
_DERIVED = ("terms", "groups", "objective", "residents", "calls", "ir_version")
"""Parts of a program that follow from the others."""
_PLACE = ("device", "shard")
"""Keys of a model that say where it lives: on which device, in which processes."""
_PLACED = ("residents", "calls")
"""Those that follow from where models live, too."""


def program_changes(then: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What differs between two programs as JSON, but for where models live.

    What only follows from the rest is left out.
    """
    if _places(then) != _places(now):
        then, now = _anywhere(then), _anywhere(now)
    found = {key: list(_changes(key, then.get(key), now.get(key))) for key in {**now, **then}}
    written = [text for key, several in found.items() if key not in _DERIVED for text in several]
    return written or [text for several in found.values() for text in several]


def changes(then: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What differs between two JSON objects, each by its dotted path.

    >>> changes({"fit": {"beta": 0.5, "seed": 0}}, {"fit": {"beta": 5, "seed": 0}})
    ['fit.beta was 0.5, now is 5']
    """
    return [text for key in {**now, **then} for text in _changes(key, then.get(key), now.get(key))]


def _models(program: Mapping[str, Any]) -> Mapping[str, Mapping[str, Any]]:
    return _named(program.get("models")) or {}  # type: ignore[return-value]


def _places(program: Mapping[str, Any]) -> object:
    fit: Mapping[str, Any] = program.get("fit") or {}
    models = _models(program).items()
    return fit.get("shard"), {name: [spec.get(key) for key in _PLACE] for name, spec in models}


def _anywhere(program: Mapping[str, Any]) -> dict[str, Any]:
    """A program as it would be if it did not say where its models live."""
    nowhere = dict.fromkeys(_PLACE)
    models = {name: {**spec, **nowhere} for name, spec in _models(program).items()}
    fit = {**(program.get("fit") or {}), "shard": None}
    return {k: v for k, v in program.items() if k not in _PLACED} | {"models": models, "fit": fit}


def listed(found: Sequence[str]) -> str:
    """The first few of what differs."""
    more = f"; and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return "; ".join(found[:_SHOWN]) + more


def _changes(path: str, then: object, now: object) -> Iterator[str]:
    if then == now:
        return
    sides = [_named(then), _named(now)]
    old, new = sides
    if old is None or new is None:
        yield f"{path} was {_short(then)}, now is {_short(now)}"
        return
    for key in dict.fromkeys([*new, *old]):
        yield from _changes(f"{path}.{key}", old.get(key), new.get(key))


def _named(value: object) -> Mapping[str, object] | None:
    """The parts of a value by name: of an object, or of a list of objects that have names."""
    if isinstance(value, dict):
        return value
    if not isinstance(value, list) or not value:
        return None
    names = [item.get("name", item.get("variable")) for item in value if isinstance(item, dict)]
    if len(names) < len(value) or len(set(map(str, names))) < len(value):
        return None
    return dict(zip(map(str, names), value, strict=True))


def _short(value: object) -> str:
    text = "absent" if value is None else repr(value)
    return text if len(text) <= _WIDTH else f"{text[: _WIDTH - 4]} ..."
