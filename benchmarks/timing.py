"""Times of several sides that take turns."""

import time
from collections.abc import Callable, Mapping

import torch


def interleaved(
    sides: Mapping[str, Callable[[int], object]],
    repetitions: int,
    *,
    check: Callable[[int, Mapping[str, object]], None] | None = None,
    tell: Callable[[str], None] = lambda text: None,
) -> dict[str, list[float]]:
    """Seconds of each side, one a repetition.

    On a CPU these are of the process's own processor time, which what else the machine computes
    moves little; with a GPU they are of the clock.

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
            start = _now()
            found[name] = sides[name](number)
            if number:
                seconds[name].append(_now() - start)
        if check is not None:
            check(number, found)
        tell(f"repetition {number} of {repetitions}")
    return seconds


def _now() -> float:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
        return time.perf_counter()
    return time.process_time()
