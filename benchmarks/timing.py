"""Times of several sides that take turns."""

import time
from collections.abc import Callable, Mapping

import torch

Clock = Callable[[], float]


def wall() -> float:
    """Seconds of the clock, once a GPU has done what it was told."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()


def own() -> float:
    """Seconds of this process's processor time, which what else the machine computes moves little.

    With a GPU, of the clock. For sides that compute in this process, with one thread.
    """
    return wall() if torch.cuda.is_available() else time.process_time()


def interleaved(
    sides: Mapping[str, Callable[[int], object]],
    repetitions: int,
    *,
    clock: Clock = wall,
    check: Callable[[int, Mapping[str, object]], None] | None = None,
    tell: Callable[[str], None] = lambda text: None,
) -> dict[str, list[float]]:
    """Seconds of each side, one a repetition: a busy machine slows all of them alike.

    Repetition 0 warms up and is not timed. Each repetition starts with another side.

    Args:
        sides: given the number of the repetition, does its work.
        check: given the number and what each side returned; raises if they are not the same.
        tell: shows progress.
    """
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    names = list(sides)
    for number in range(repetitions + 1):
        found: dict[str, object] = {}
        first = number % len(names)
        for name in names[first:] + names[:first]:
            start = clock()
            found[name] = sides[name](number)
            if number:
                seconds[name].append(clock() - start)
        if check is not None:
            check(number, found)
        tell(f"repetition {number} of {repetitions}")
    return seconds
