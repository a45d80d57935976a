"""Calls of one tool for many rows: in time, and in the order of the rows whatever ends first."""

import threading
import time
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from typing import Any

from .base import ToolError


class TooLate(ToolError):
    """A call took longer than its `timeout`."""


Outcome = Any
"""A value, or the exception that stands for it."""


def each(
    calls: Sequence[Callable[[], Any]], *, at_once: int = 1, timeout: float | None = None
) -> list[Outcome]:
    """What each call gives or raises, in their order.

    Args:
        at_once: how many may run at the same time.
        timeout: seconds for each, from its own start; what takes longer is left alone, and is
            TooLate.
    """
    if timeout is None and (at_once == 1 or len(calls) == 1):
        return [_outcome(call) for call in calls]
    done: SimpleQueue[tuple[int, Outcome]] = SimpleQueue()
    waiting = list(enumerate(calls))[::-1]
    ends: dict[int, float] = {}
    found: dict[int, Outcome] = {}
    while waiting or ends:
        while waiting and len(ends) < at_once:
            number, call = waiting.pop()
            ends[number] = time.monotonic() + timeout if timeout is not None else float("inf")
            # A daemon: a call that never ends keeps no process from ending.
            threading.Thread(target=_run, args=(number, call, done), daemon=True).start()
        try:
            soonest = min(ends.values())
            left = None if timeout is None else max(0.0, soonest - time.monotonic())
            number, outcome = done.get(timeout=left)
        except Empty:
            now = time.monotonic()
            for number in [number for number, end in ends.items() if end <= now]:
                del ends[number]
                found[number] = TooLate(f"no answer within {timeout:g} seconds")
            continue
        if ends.pop(number, None) is not None:
            found[number] = outcome
    return [found[number] for number in range(len(calls))]


def _run(number: int, call: Callable[[], Any], done: "SimpleQueue[tuple[int, Outcome]]") -> None:
    done.put((number, _outcome(call)))


def _outcome(call: Callable[[], Any]) -> Outcome:
    try:
        return call()
    except Exception as error:  # a tool may raise anything
        return error


def in_batch(
    call: Callable[..., Any], rows: Sequence[dict[str, Any]], *, timeout: float | None
) -> list[Outcome]:
    """What a call that takes many rows gives for each; where it raises, each row is asked alone."""
    (found,) = each([lambda: _batch(call, rows)], timeout=timeout)
    if isinstance(found, TooLate):
        return [found] * len(rows)
    if not isinstance(found, Exception):
        return list(found)
    if len(rows) == 1:
        return [found]
    return [one for row in rows for one in in_batch(call, [row], timeout=timeout)]


def _batch(call: Callable[..., Any], rows: Sequence[dict[str, Any]]) -> list[Any]:
    found = call(**{name: [row[name] for row in rows] for name in rows[0]})
    if not isinstance(found, list | tuple):
        raise TypeError(f"it gave {found!r:.60}, not a list with an entry for each row")
    if len(found) != len(rows):
        raise TypeError(f"it gave {len(found)} values for {len(rows)} rows")
    return list(found)
