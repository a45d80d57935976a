"""Doing together what can be done together, and giving results back in the order of asking."""

from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from typing import TypeVar

A = TypeVar("A")
B = TypeVar("B")


def grouped(items: Sequence[A], key: Callable[[A], Hashable]) -> list[list[int]]:
    """The indices of the items of each key, keys and indices in the order they come.

    For example:

    >>> grouped(["ant", "bee", "ape"], lambda word: word[0])
    [[0, 2], [1]]
    """
    groups: dict[Hashable, list[int]] = defaultdict(list)
    for index, item in enumerate(items):
        groups[key(item)].append(index)
    return list(groups.values())


def in_groups(
    items: Sequence[A], key: Callable[[A], Hashable], results: Callable[[list[A]], Sequence[B]]
) -> list[B]:
    """One result for each item, where `results` takes all items of one key at once.

    For example:

    >>> in_groups(["ant", "bee", "ape"], lambda word: word[0], lambda words: [*enumerate(words)])
    [(0, 'ant'), (0, 'bee'), (1, 'ape')]
    """
    out: dict[int, B] = {}
    for indices in grouped(items, key):
        out.update(zip(indices, results([items[i] for i in indices]), strict=True))
    return [out[i] for i in range(len(items))]
