"""What the copies of a node are called."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import product

Scalar = str | int | float


LAST = "last"
"""In place of a turn: the last one that ran."""


def copy_name(node: str, items: Iterable[Scalar]) -> str:
    """`draft[ada,1]`."""
    return f"{node}[{','.join(map(str, items))}]"


def copy_names(
    name: str, axes: Mapping[str, list[Scalar]]
) -> Iterator[tuple[str, dict[str, Scalar]]]:
    """(variable name, bindings) of every copy, in the order of keys and items.

    Args:
        axes: the keys with their values; a node without any is one variable.
    """
    if not axes:
        yield name, {}
        return
    for items in product(*axes.values()):
        yield copy_name(name, items), dict(zip(axes, items, strict=True))
