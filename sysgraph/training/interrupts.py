"""Stopping where nothing is lost, when a person or the system asks to."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_ASKING = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)


@contextmanager
def stop_between_steps(*, enabled: bool) -> Iterator[Callable[[], bool]]:
    """Gives a function that says whether a signal asked to stop; a second SIGINT stops at once.

    SIGINT, SIGTERM and SIGHUP do, but for what the process was started to ignore (`nohup`).

    Not enabled among several processes (each would stop at another step and wait for the rest) nor
    outside the main thread, where Python allows no signal handlers.
    """
    asked = threading.Event()
    if not enabled or threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return

    def handle(number: int, frame: FrameType | None) -> None:
        if asked.is_set() and number == signal.SIGINT:
            raise KeyboardInterrupt
        asked.set()

    with _handled(_ASKING, handle):
        yield asked.is_set


@contextmanager
def signals_interrupt() -> Iterator[None]:
    """Makes SIGTERM and SIGHUP raise KeyboardInterrupt, as SIGINT does.

    Not in one of several processes: it may wait for the others, where only a signal's default ends
    it.
    """

    def handle(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    several = int(os.environ.get("WORLD_SIZE", "1") or 1) > 1
    with _handled(() if several else _ASKING[1:], handle):
        yield


@contextmanager
def _handled(
    numbers: tuple[signal.Signals, ...], handle: Callable[[int, FrameType | None], None]
) -> Iterator[None]:
    heard = [number for number in numbers if signal.getsignal(number) != signal.SIG_IGN]
    before = {number: signal.signal(number, handle) for number in heard}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
