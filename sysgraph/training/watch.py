"""What a run's lines of metrics said so far, for whoever watches it: curves, pace, time left."""

import math
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from threading import RLock
from time import monotonic

_KEPT = 256
"""Values kept of a curve: more than a terminal is wide."""
_RECENT = 10
"""Lines that the pace is a mean over."""


@dataclass
class Curve:
    """Values of one metric from the start of the run, thinned out to `_KEPT` at most."""

    values: list[float] = field(default_factory=list)
    last: float = math.nan
    _each: int = 1  # values that one of `values` is the mean of
    _waiting: list[float] = field(default_factory=list)

    def add(self, value: float) -> None:
        """One more value."""
        self.last = value
        self._waiting.append(value)
        if len(self._waiting) < self._each:
            return
        self.values.append(sum(self._waiting) / self._each)
        self._waiting = []
        if len(self.values) == _KEPT:
            pairs = zip(self.values[::2], self.values[1::2], strict=True)
            self.values = [(a + b) / 2 for a, b in pairs]
            self._each *= 2


@dataclass(frozen=True)
class Pace:
    """How fast steps are taken: seconds a step, evaluations included; pairs and tokens a second."""

    step: float
    pairs: float
    tokens: float


class Watch:
    """Reads every line of metrics as it is written.

    Args:
        steps: of a round.
        rounds: of the run; 0: it fits fixed pairs once.
        batch_size: pairs of a step.
        nodes: those whose terms are trained.
        clock: seconds.
    """

    def __init__(
        self,
        *,
        steps: int,
        rounds: int,
        batch_size: int,
        nodes: tuple[str, ...],
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self.steps, self.rounds, self.nodes = steps, rounds, nodes
        self.round = self.step = 0
        self.train: dict[str, Curve] = {}
        self.held_out: dict[str, Curve] = {}
        self.lock = RLock()
        """Held while a line is read, and by whoever looks from another thread."""
        self._batch_size, self._clock = batch_size, clock
        self.started = clock()
        self._round_began = self.started
        self._first: tuple[int, float] | None = None  # this round's step and time of its first line
        self._seen: tuple[int, float] | None = None  # ... of its last line
        self._recent: deque[tuple[int, float, float]] = deque(maxlen=_RECENT)

    def see(self, line: Mapping[str, object]) -> None:
        """A line of metrics.jsonl."""
        with self.lock:
            self._see(line)

    def _see(self, line: Mapping[str, object]) -> None:
        if "round" not in line:  # scores before and after
            return
        self._move_to(_int(line["round"]))
        numbers = {k: float(v) for k, v in line.items() if isinstance(v, int | float)}
        if "step" not in line:
            self._add(dict(_sides(numbers)))
            return
        self.step = int(numbers["step"])
        train = {k: v for k, v in numbers.items() if not k.startswith("eval_")}
        self._time(train.get("scored_tokens", 0.0), stepped="learning_rate" in train)
        self._add({(k, False): v for k, v in train.items()})
        self._add(
            {(k.removeprefix("eval_"), True): v for k, v in numbers.items() if k not in train}
        )

    @property
    def elapsed(self) -> float:
        """Seconds since the run (or what was resumed of it) began."""
        return self._clock() - self.started

    @property
    def pace(self) -> Pace | None:
        """Of the last few lines; None before there are two."""
        steps = sum(n for n, _, _ in self._recent)
        busy = sum(seconds for _, seconds, _ in self._recent)
        if not steps or busy <= 0 or self._first is None or self._seen is None:
            return None
        tokens = sum(n * each for n, _, each in self._recent) * self._batch_size
        spent, taken = self._seen[1] - self._first[1], self._seen[0] - self._first[0]
        whole = spent / taken if taken else busy / steps
        return Pace(whole, steps * self._batch_size / busy, tokens / busy)

    @property
    def left(self) -> float | None:
        """Seconds to the end of the last round, if all rounds are like this one; None: unknown."""
        pace = self.pace
        if pace is None or self._first is None or self._seen is None:
            return None
        since = self._clock() - self._seen[1]
        here = max(0.0, (self.steps - self.step) * pace.step - since)
        before = self._first[1] - self._round_began - self._first[0] * pace.step  # collecting
        later = max(0, self.rounds - 1 - self.round) * (max(0.0, before) + self.steps * pace.step)
        return here + later

    def margin(self, node: str, held_out: bool = False) -> Curve | None:
        """A node's share of the margin, where it is summed over: its credit."""
        curves = self.held_out if held_out else self.train
        return curves.get(f"credit/{node}") or curves.get(f"rewards/margins/{node}")

    def _move_to(self, number: int) -> None:
        if number == self.round or (self.rounds and number >= self.rounds):
            return
        self._round_began = self._seen[1] if self._seen else self._clock()
        self.round, self.step = number, 0
        self._first = self._seen = None

    def _time(self, tokens: float, *, stepped: bool) -> None:
        now = self._clock()
        if self._seen is not None and stepped and self.step > self._seen[0]:
            self._recent.append((self.step - self._seen[0], now - self._seen[1], tokens))
        self._first = self._first or (self.step, now)
        self._seen = self.step, now

    def _add(self, several: Mapping[tuple[str, bool], float]) -> None:
        for (name, held_out), value in several.items():
            curves = self.held_out if held_out else self.train
            curves.setdefault(name, Curve()).add(value)


def _sides(numbers: Mapping[str, float]) -> Iterator[tuple[tuple[str, bool], float]]:
    """The scores of a round's samples: `score/train` and `score/held_out`."""
    for side, held_out in (("train", False), ("held_out", True)):
        if f"score/{side}" in numbers:
            yield ("score", held_out), numbers[f"score/{side}"]


def _int(value: object) -> int:
    return value if isinstance(value, int) else 0
