"""A system's outputs by the names that its graph gives them."""

from collections.abc import Callable
from dataclasses import replace
from operator import attrgetter
from typing import TYPE_CHECKING

from sysgraph_compiler import Program
from sysgraph_compiler.copies import LAST

from .trace import Plain, Trace, by_node, generated_nodes

if TYPE_CHECKING:
    from .pictures import Picture


def outputs_by_name(
    program: Program, trace: Trace, picture: Callable[["Picture"], str] = attrgetter("name")
) -> dict[str, Plain]:
    """The outputs, as `by_node` has values: of a loop, what its last turn gave.

    Args:
        picture: gives the text that stands for an image.
    """
    shown = {k: v for k, v in trace.values.items() if k in program.outputs}
    values = by_node(program, replace(trace, values=shown), picture)
    out: dict[str, Plain] = {}
    for node, copies in generated_nodes(program).items():
        wanted = [copy for copy in copies if copy in program.outputs]
        if not wanted:
            continue
        value = values[node]
        if isinstance(value, list) and len(wanted) < len(copies):
            by_copy = dict(zip(copies, value, strict=False))  # a list may end before
            several = [by_copy.get(copy) for copy in wanted]
            value = several if len(several) > 1 else several[0]
        out[node.removesuffix(f"[{LAST}]")] = value
    return out
