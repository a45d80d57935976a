"""What the copies of a `for_each` node are called."""

from collections.abc import Iterator, Mapping
from itertools import product

Scalar = str | int | float


def copy_names(
    name: str, copies: Mapping[str, list[Scalar]]
) -> Iterator[tuple[str, dict[str, Scalar]]]:
    """(variable name, bindings) of every copy: `draft[ada,1]`, in the order of keys and items."""
    if not copies:
        yield name, {}
        return
    for items in product(*copies.values()):
        shown = ",".join(str(item) for item in items)
        yield f"{name}[{shown}]", dict(zip(copies, items, strict=True))
