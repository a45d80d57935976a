"""The system run as if it had no cycle: each of its loops once, with nothing from a turn before."""

from collections.abc import Iterator
from dataclasses import replace

import sysgraph_compiler
from sysgraph_schemas import Graph

from ..data import load_pairs
from ..support.errors import DataError, InputError
from .bench import Bench
from .rows import Entry, training

CUT, CUT_JOINT = "cut", "cut joint"
"""The rows: the cut system untrained, and trained jointly."""


def cut(graph: Graph) -> Graph:
    """The graph with one turn of every loop that has `repeat`; those over a list stay.

    Raises:
        InputError: there is no such loop, or the training data holds values of further turns.
    """
    loops = {
        name: loop.model_copy(update={"repeat": 1, "until": None})
        for name, loop in graph.loops.items()
        if loop.repeat is not None and loop.repeat > 1
    }
    if not loops:
        raise InputError("--cut-loops: the graph has no loop with `repeat` that could be cut")
    found = graph.model_copy(update={"loops": {**graph.loops, **loops}})
    if graph.fit.data is not None and not graph.fit.rounds:
        try:
            load_pairs(sysgraph_compiler.compile(found), graph.fit.data)
        except DataError as error:
            raise InputError(
                f"--cut-loops: {graph.fit.data} holds values of turns that the cut system has not; "
                f"set fit.rounds, so that each system learns from its own answers ({error})"
            ) from error
    return found


def cut_rows(bench: Bench, graph: Graph) -> Iterator[Entry]:
    """The rows of the cut system, compared with the whole one untrained.

    Args:
        bench: of the whole system.
        graph: what `cut` gave for it.
    """
    program = sysgraph_compiler.compile(graph)
    small = replace(bench, graph=graph, program=program, before=bench)
    meaning = "each loop run once, with nothing from a turn before, untrained"
    yield Entry(CUT, meaning, lambda seed: small.measure(CUT, seed))
    meaning = "each loop run once, all trained at once on one loss of that system"
    yield training(small, CUT_JOINT, meaning, {"credit": "system"})
