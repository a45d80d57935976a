"""Python's garbage collector, put off where everything that is made stays."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def no_collection() -> Iterator[None]:
    """Imports, reads or compiles without the collector, also as a decorator.

    It would look through the 100,000s of objects that are made again and again, and find nothing,
    for a fifth of the time. At the end they count as old: as new ones they would be looked through
    with the next that is made.
    """
    is_collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if is_collecting:
            if not gc.get_freeze_count():  # whoever froze some himself keeps them so
                gc.freeze()
                gc.unfreeze()
            gc.enable()
