"""Inputs that are gone through one by one, as often as needed: a file of any size is never held."""

import hashlib
import json
from array import array
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from sysgraph_compiler import Program

from ..support.errors import DataError
from ..traces.trace import input_names
from .images import is_image_column
from .inputs import InputRow, input_row, toy_rows
from .rows import is_empty, is_pipe, read_rows, stream_rows


@dataclass(frozen=True)
class Survey:
    """What is known of all rows at once.

    Attributes:
        count: how many there are.
        digest: changes with any of them.
        repeated: the keys of the inputs that several rows have.
        without: the fields that hold bytes, which rows are read without.
    """

    count: int
    digest: str
    repeated: frozenset[int]
    without: tuple[str, ...]


class Occurrences:
    """How many rows so far had the inputs of each: `occurrences_of` for rows that come one by one.

    Args:
        repeated: as a survey of the same rows says; all that is remembered.
    """

    def __init__(self, program: Program, repeated: frozenset[int]) -> None:
        self._program, self._repeated = program, repeated
        self._seen = Counter[int]()

    def of(self, row: InputRow) -> int:
        """Counts the next row; one that is wrong has none."""
        if row.problem:
            return 0
        key = _key(self._program, row)
        if key not in self._repeated:
            return 0
        self._seen[key] += 1
        return self._seen[key] - 1


class InputStream:
    """The inputs that `load_inputs` reads, those that are wrong among them (`InputRow.problem`).

    Each time they are gone through, they are read anew; of what can be read once only (a pipe),
    they are kept.

    Args:
        source: as `load_inputs` takes it, but no rows.
    """

    def __init__(self, program: Program, source: str) -> None:
        self._program, self._source = program, source
        self._kept = toy_rows(source) or (read_rows(source) if is_pipe(source) else None)

    def __iter__(self) -> Iterator[InputRow]:
        """Every row, in order.

        Raises:
            DataError: a line holds no row.
            InputError: nothing can be read, or from here on.
        """
        for row in self._kept or stream_rows(self._source):
            if row.problem is not None:
                raise DataError([f"{row.place}: {row.problem}"])
            yield input_row(self._program, row)

    def survey(self) -> Survey:
        """Reads all.

        Raises:
            DataError: lines hold no rows, or no row has the graph's inputs; all that is wrong.
            InputError: nothing can be read there.
        """
        digest, keys, count = hashlib.blake2b(digest_size=16), array("Q"), 0
        broken: list[str] = []
        wrong: list[str] = []
        without: dict[str, None] = {}
        given = (v for v in self._program.variables if v.is_given)
        images = {variable.name for variable in given if variable.type == "image"}
        for row in self._kept or stream_rows(self._source):
            count += 1
            if row.problem is not None:
                broken.append(f"{row.place}: {row.problem}")
                continue
            binary = (key for key, value in row.fields.items() if _is_binary(value))
            without.update(dict.fromkeys(key for key in binary if key not in images))
            read = input_row(self._program, row)
            digest.update(json.dumps([read, read.problem], default=repr).encode())
            if not read.problem:
                keys.append(_key(self._program, read))
            elif len(wrong) == count - 1:  # no row was right so far
                wrong.append(f"{read.place}: {read.problem}")
        if not count:
            raise is_empty(self._source)
        if broken or len(wrong) == count:
            raise DataError(broken or wrong)
        found, times = np.unique(np.frombuffer(keys, np.uint64), return_counts=True)
        return Survey(count, digest.hexdigest(), frozenset(found[times > 1].tolist()), (*without,))


def _is_binary(value: object) -> bool:
    return isinstance(value, bytes) or is_image_column(value)


def _key(program: Program, row: InputRow) -> int:
    """A number for a row's inputs: equal where they are, and else, as good as never."""
    text = repr([row[name] for name in input_names(program)])
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")
