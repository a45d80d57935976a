"""How well images show what was asked for (the toy worlds `progression` and `retouch`).

The score is that of SysDPO, section 5.1 and appendix E: of three images in whose order an attribute
is to grow, it rewards the distance from the first to the last and penalizes an uneven middle.

>>> preference(0, 0.5, 1)
1.0
>>> preference(1, 0.5, 0)
-1.0
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

from ...support.errors import InputError
from ...toys.progression import attribute_named, likeness, measured
from ...toys.progression.world import Attribute
from ...traces.pictures import Picture
from ...traces.trace import Trace
from .base import Scorer, Success

LOWEST = -1.5
"""The lowest score there is."""
_WORLDS = {"retouch": "retouch"}
"""The toy world with rows for a scorer, where that is not `progression`."""


def preference(first: float, middle: float, last: float) -> float:
    """The score: q = -(a1 - a3 + |a2 - (a1 + a3) / 2|), -1.5 to 1 for attributes of 0 to 1."""
    return -(first - last + abs(middle - (first + last) / 2))


def consistent(first: float, middle: float, last: float) -> bool:
    """Order consistency: a1 < a2 < a3."""
    return first < middle < last


def _asked(fields: Mapping[str, Any], scorer: str) -> Attribute:
    name = fields.get("attribute")
    if not isinstance(name, str):
        raise InputError(
            f"scorer {scorer!r} needs inputs with a field `attribute`, "
            f"as the rows of toy:{_WORLDS.get(scorer, 'progression')}/train have"
        )
    try:
        return attribute_named(name)
    except ValueError as error:
        raise InputError(f"scorer {scorer!r}: {error}") from None


def _problem(fields: Mapping[str, Any], *, scorer: str) -> str | None:
    try:
        _asked(fields, scorer)
    except InputError as error:
        return str(error)
    return None


def _found(trace: Trace, scorer: str, count: int, said: str) -> list[float]:
    """How much of the attribute each image among the outputs has."""
    attribute = _asked(trace.extra, scorer)
    images = [trace.values[output] for output in trace.outputs if output in trace.values]
    found = [measured(attribute, i.open()) for i in images if isinstance(i, Picture)]
    if len(found) != count or len(images) != count:
        raise InputError(
            f"scorer {scorer!r} needs {said}, got {len(images)} values, {len(found)} of them images"
        )
    return found


def _attribute_scores(trace: Trace) -> tuple[float, float, float]:
    first, middle, last = _found(trace, "progression", 3, "three images as outputs")
    return first, middle, last


progression = Scorer(
    "progression",
    lambda traces: [preference(*_attribute_scores(trace)) for trace in traces],
    success=Success(
        "order consistent",
        lambda trace: not trace.abstains and consistent(*_attribute_scores(trace)),
    ),
    problem=partial(_problem, scorer="progression"),
    abstained=LOWEST,
)
"""How far and how evenly an attribute grows over three images."""

illustration = Scorer(
    "illustration",
    lambda traces: [_found(t, "illustration", 1, "one image as its output")[0] for t in traces],
    problem=partial(_problem, scorer="illustration"),
    abstained=0.0,
)
"""How much of the attribute that is asked for the one image has: 0 to 1."""


def _retouched(trace: Trace) -> float:
    (value,) = _found(trace, "retouch", 1, "one image as its output")
    sources = [given for given in trace.inputs.values() if isinstance(given, Picture)]
    (image,) = [trace.values[output] for output in trace.outputs]
    if len(sources) != 1 or not isinstance(image, Picture):
        raise InputError(
            f"scorer 'retouch' needs one image among the inputs, got {len(sources)} of them"
        )
    return value * likeness(sources[0].open(), image.open())


retouch = Scorer(
    "retouch",
    lambda traces: [_retouched(trace) for trace in traces],
    problem=partial(_problem, scorer="retouch"),
    abstained=0.0,
)
"""How much of the attribute that is asked for the image has, times how far it still is the one
picture among the inputs: 0 to 1."""
