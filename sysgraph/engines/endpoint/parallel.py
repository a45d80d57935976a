"""Work that waits for a network, several at a time."""

import queue
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

K = TypeVar("K")
T = TypeVar("T")
R = TypeVar("R")


def in_parallel(
    work: Callable[[T], R], items: Mapping[K, T], workers: int
) -> Iterator[tuple[K, R]]:
    """(key, work(item)) as they come.

    Once one raises, no other is started; those under way are given, and then the error is raised.
    The threads are daemons: neither Ctrl-C nor the end of the process waits for a slow reply.
    """
    todo: queue.SimpleQueue[tuple[K, T]] = queue.SimpleQueue()
    done: queue.SimpleQueue[tuple[K, R] | Exception | None] = queue.SimpleQueue()
    stop = threading.Event()
    for pair in items.items():
        todo.put(pair)

    def run() -> None:
        while not stop.is_set():
            try:
                key, item = todo.get_nowait()
            except queue.Empty:
                break
            try:
                done.put((key, work(item)))
            except Exception as error:
                stop.set()
                done.put(error)
        done.put(None)

    running = min(workers, len(items))
    for _ in range(running):
        threading.Thread(target=run, daemon=True).start()
    failure: Exception | None = None
    try:
        while running:
            got = done.get()
            if isinstance(got, tuple):
                yield got
            elif got is None:
                running -= 1
            else:
                failure = failure or got
    finally:
        stop.set()
    if failure is not None:
        raise failure


def within(seconds: float, work: Callable[[], R]) -> R:
    """work(), or TimeoutError once it takes longer; it then goes on without anybody waiting.

    Raises:
        TimeoutError: it takes longer, or raised that itself.
    """
    return as_long_as(lambda: False, seconds, work)


def as_long_as(hopeful: Callable[[], bool], seconds: float, work: Callable[[], R]) -> R:
    """work(), waited for as long as `hopeful()`, which is asked every so many seconds.

    Raises:
        TimeoutError: it no longer is, or work() raised that itself.
    """
    done: queue.SimpleQueue[tuple[R] | BaseException] = queue.SimpleQueue()

    def run() -> None:
        try:
            done.put((work(),))
        except BaseException as error:
            done.put(error)

    threading.Thread(target=run, daemon=True).start()
    while True:
        try:
            got = done.get(timeout=seconds)
            break
        except queue.Empty:
            if not hopeful():
                raise TimeoutError from None
    if isinstance(got, BaseException):
        raise got
    return got[0]
