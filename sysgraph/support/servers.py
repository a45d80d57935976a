"""Which servers sample models, as whoever runs a graph says."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Servers:
    """Where the servers are that a graph's `sampler`s name.

    Attributes:
        urls: addresses by name, as in http://localhost:8000/v1; under "", for those without one of
            their own; default: what the environment says (SYSGRAPH_SERVER_NAME, SYSGRAPH_SERVER).
        adapters: the folder in which adapters are written for the servers to read: on the machine
            that they are on, or shared with it under the same path; default: in the user's cache.
    """

    urls: Mapping[str, str] = field(default_factory=dict)
    adapters: Path | None = None
