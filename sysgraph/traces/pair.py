"""A preference between two traces."""

from dataclasses import dataclass

from .trace import Trace


@dataclass(frozen=True)
class Pair:
    """One preference. `source` says where it came from, for messages."""

    chosen: Trace
    rejected: Trace
    source: str
