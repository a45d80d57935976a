"""What a server takes at most."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """What a server takes at most.

    Attributes:
        batch: answers that are sampled together.
        waiting: requests that wait for their turn; more are sent away (429).
        samples: `n` of a request.
        body: bytes of a request.
        seconds: from a request's start to its answer's end; then it is given up (504).
    """

    batch: int = 64
    waiting: int = 256
    samples: int = 16
    body: int = 2**20
    seconds: float = 300.0
