"""H: whole processes of the command line; see `startup`."""

from collections.abc import Iterator
from typing import Any

from . import startup
from .row import Options, Row


def rows(options: Options) -> Iterator[Row]:
    for found in startup.rows():
        one: dict[str, Any] = {**found}
        yield Row(**one, at_most=True, measure="processor time, ours / theirs")
