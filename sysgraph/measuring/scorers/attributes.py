"""How right an answer is in the toy world `specialists`."""

from collections.abc import Mapping, Sequence
from typing import Any

from ...support.errors import InputError
from ...toys import specialists
from ...traces.trace import Trace
from .base import Scorer


def _attributes(traces: Sequence[Trace]) -> list[float]:
    try:
        return [specialists.attributes(str(t.inputs["question"]), t.output()) for t in traces]
    except KeyError:
        raise InputError("scorer 'attributes' needs a graph with an input `question`") from None
    except ValueError as error:
        raise InputError(f"scorer 'attributes': {error}") from error


def _problem(fields: Mapping[str, Any]) -> str | None:
    if not isinstance(fields.get("question"), str):
        return "scorer 'attributes' needs a graph with an input `question`"
    try:
        specialists.truth(fields["question"])
    except ValueError as error:
        return f"scorer 'attributes': {error}"
    return None


attributes = Scorer("attributes", _attributes, perfect=3, problem=_problem)
"""How many of an entity's attributes the answer has right (the toy world `specialists`)."""
