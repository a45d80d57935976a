"""What engines are asked for: to score, to draw, to search, and to tell what is drawn so far."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

from sysgraph_schemas import Decoding

from ..support.errors import InputError
from ..traces.pictures import Picture
from ..traces.prompt import Context
from ..traces.trace import Completion


@dataclass(frozen=True, slots=True)
class Request:
    """Score `value` under `model`, given `context`.

    With `options`, `value` is one of them. An engine scores it as any other; `System.score` divides
    by the sum over all options. `noise` has the seeds of an image's (timestep, noise) draws, see
    `objectives.diffusion.noise_seeds`; without it, the engine's own. `stop` has the strings at
    which a text that was sampled could end; None: the model's.
    """

    model: str
    context: Context
    value: Completion | Picture
    options: tuple[str, ...] = ()
    noise: tuple[int, ...] = ()
    stop: tuple[str, ...] | None = None

    @property
    def completion(self) -> Completion:
        """The value, of a request for a text."""
        assert isinstance(self.value, Completion), self.value
        return self.value


@dataclass(frozen=True, slots=True)
class Draw:
    """Sample from `model`, given `context`; equal draws give equal samples.

    With `options`, one of them is drawn: by `System.sample`, no engine does. `decoding` is what the
    node says of how; what it leaves open is the model's (`decoding.over(spec.decoding)`).
    """

    model: str
    context: Context
    seed: int
    options: tuple[str, ...] = ()
    decoding: Decoding = field(default_factory=Decoding)


@dataclass(frozen=True, slots=True)
class Refused:
    """No value for a draw, as its model's server would not give one; `why` is for people."""

    why: str


@dataclass(frozen=True, slots=True)
class Search:
    """Find the `k` texts that (diverse) beam search gives under `model`, given `context`.

    Args:
        k: texts wanted.
        beams: beams in all, at least `k`.
        groups: 1 is plain beam search; more is diverse beam search, beams // groups beams each.
        diversity_penalty: nats taken off a token for each beam of an earlier group that picked it
            at the same step. One group has no earlier one.
        options: of a choice, the `k` likeliest are found: by `System.search`, no engine does.
        decoding: as a `Draw` has it; what warps draws (temperature, top_p) plays no part.

    Raises:
        InputError: no search has these settings.
    """

    model: str
    context: Context
    k: int
    beams: int
    groups: int = 1
    diversity_penalty: float = 0.0
    options: tuple[str, ...] = ()
    decoding: Decoding = field(default_factory=Decoding)

    def __post_init__(self) -> None:
        if not 1 <= self.k <= self.beams:
            raise InputError(f"k is {self.k}; with {self.beams} beams it can be 1 to {self.beams}")
        if self.groups < 1 or self.beams % self.groups:
            raise InputError(
                f"{self.beams} beams in {self.groups} groups: each group needs the same number, "
                "at least one"
            )
        if not 0 <= self.diversity_penalty < math.inf:
            raise InputError(
                f"the diversity penalty is {self.diversity_penalty}; it is 0 or more nats"
            )


@dataclass(frozen=True)
class Listener:
    """Who listens while a text is drawn.

    Attributes:
        waits: whether the text is still wanted; one that is not may end anywhere.
        hear: is given the text so far, now and then: it begins with the one before, and the value
            begins with the last. None: nothing is to be told.
    """

    waits: Callable[[], bool]
    hear: Callable[[str], None] | None = None
