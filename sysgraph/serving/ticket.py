"""A request on its way: what was asked, and what is told of it as it goes on."""

import secrets
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ..traces.trace import Plain, Trace
from .asked import Asked
from .choices import Choice
from .errors import ApiError
from .usage import Usage


@dataclass(frozen=True)
class Progress:
    """The values that there are of one of a request's answers so far, null for the others."""

    index: int
    values: dict[str, Plain]


@dataclass(frozen=True)
class Written:
    """What was added to the text of an output that is being written."""

    index: int
    text: str


@dataclass(frozen=True)
class Answered:
    """All of a request's answers, as traces and as what is sent, and the tokens that they took."""

    traces: Sequence[Trace]
    choices: Sequence[Choice]
    usage: Usage


@dataclass(frozen=True)
class Failed:
    """There are none."""

    error: ApiError


Event = Progress | Written | Answered | Failed


@dataclass(eq=False)
class Ticket:
    """A request on its way.

    Attributes:
        tell: is given what happens, in the worker's thread; `Answered` or `Failed` is the last.
        id: of the answer.
        created: seconds since 1970.
        given_up: nobody waits for it any more: it is not begun, or goes no further.
        told: by answer, characters of its text that were told: they are, once, where it is sampled
            a second time.
    """

    asked: Asked
    tell: Callable[[Event], None]
    id: str = field(default_factory=lambda: f"chatcmpl-{secrets.token_hex(12)}")
    created: float = field(default_factory=time.time)
    given_up: bool = False
    told: Counter[int] = field(default_factory=Counter)
