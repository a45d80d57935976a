"""How likely a side's draws come out as a given trajectory.

    log q_s(y) = sum over drawn v of  log p_model(v)( v | parents(v), as side s has them )
                 - (tosses of the side's coin on the way to y) * log 2

A side can draw what is a trajectory of the other side alone, and toss another number of coins on
the way: so the way is gone again under each of them.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from sysgraph_compiler import Program

from ..engines import Request
from ..traces.trace import Completion
from .gaps import Gaps
from .paths import Layers, Path


@dataclass(frozen=True)
class Way:
    """How one side comes to a trajectory: what its models said, and the coins that it tossed."""

    requests: tuple[Request, ...]
    tosses: int


def way(
    program: Program,
    layers: Layers,
    gaps: Gaps,
    side: int,
    values: Mapping[str, Completion],
    source: str,
) -> Way | None:
    """The only way on which `side` draws exactly `values`; None: there is none.

    Args:
        layers: of `program`.
        source: where the pair came from, for messages.
    """
    path = Path(gaps, side, None, 0, values.__contains__, source)
    found: list[Request] = []
    for depth in layers.of([path]):
        for asked in layers.asked(path, depth):
            value = values.get(asked.variable)
            if value is None:
                return None
            path.values[asked.variable] = value
            found.append(asked.request(value))
    return Way(tuple(found), path.tosses) if path.values.keys() == values.keys() else None
