"""What preference data holds: every generated value, or some, and the rest is summed over."""

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from sysgraph_schemas import Graph, Span
from sysgraph_schemas.limits import MAX_EDGES, MAX_VARIABLES
from sysgraph_schemas.source import Source

from .copies import copy_names
from .edges import pair_count, parse_edges
from .expansion import Expansion
from .records import meant

Method = Literal["direct", "sampling"]

_COMMA = re.compile(r",(?![^\[]*\])")  # not between the brackets of draft[ada,1]


@dataclass(frozen=True)
class Observation:
    """Which generated values data holds, as a user says it.

    `names` are nodes or variables (`draft`, `draft[ada]`). None: all of them, or for the method
    `sampling` the outputs alone. `method` None: what follows from the names.
    """

    names: tuple[str, ...] | None = None
    method: Method | None = None

    @classmethod
    def of(cls, text: str | None, method: Method | None = None) -> "Observation":
        """From a command line: `--observed draft[ada],answer`."""
        names = None if text is None else tuple(part.strip() for part in _COMMA.split(text))
        return cls(names, method)

    @property
    def shown(self) -> str:
        """The options as a command line has them."""
        observed = "" if self.names is None else f"--observed {','.join(self.names)}"
        return f"{observed} --method {self.method}".strip() if self.method else observed

    def span(self, word: str) -> Span:
        """Where a name, or an option, stands on the command line."""
        found = re.search(rf"(?<![\w\]]){re.escape(word)}(?![\w\[])", self.shown)
        start, end = found.span() if found else (0, len(self.shown))
        return Source(self.shown, self.shown).span(start, end)


EVERYTHING = Observation()
OUTPUTS = Observation(None, "sampling")


def in_file(graph: Graph, observation: Observation) -> bool:
    """Whether it is `fit.observed` that says what is observed: nothing else was said."""
    return observation == EVERYTHING and graph.fit.observed is not None


def resolve(graph: Graph, observation: Observation) -> Observation:
    """What is observed: as given, else as `fit.observed` says, else everything."""
    return (
        Observation(tuple(graph.fit.observed or ())) if in_file(graph, observation) else observation
    )


class Observed:
    """An observation, applied to a graph: which of its nodes' values data holds."""

    def __init__(self, graph: Graph, observation: Observation) -> None:
        self._graph, self._observation = graph, resolve(graph, observation)

    @cached_property
    def names(self) -> frozenset[str] | None:
        """Nodes and variables whose values data holds; None: all."""
        given = self._observation
        if given.names is not None:
            return frozenset(given.names)
        if given.method != "sampling":
            return None
        expansion = Expansion(self._graph)
        texts = self._texts_of_outputs
        found = {name for name in texts if not expansion.is_open(name)}
        for name in texts[: len(self._graph.outputs)]:
            # Of a loop that may end before, the data has what it gave and not which turn did.
            found |= {*expansion.last(name)} if expansion.is_open(name) else set()
        return frozenset(found | {*texts[len(self._graph.outputs) :]})

    def holds(self, node: str, variable: str) -> bool:
        """Whether data holds this variable of this node."""
        return self.names is None or node in self.names or variable in self.names

    @cached_property
    def branches(self) -> frozenset[str]:
        """Nodes that only observed selections read: what matters of them is a selection's value."""
        nodes = self._graph.nodes
        held = [name for name in self.names or () if name in nodes and nodes[name].takes_any]
        taken = {parent for name in held for parent in self._reads(name)}
        others = {p for name in nodes if name not in held for p in self._parents.get(name, ())}
        gating = {p for name in held for p in nodes[name].gates}
        return frozenset(taken - others - gating if held else ())

    @cached_property
    def _texts_of_outputs(self) -> list[str]:
        """The outputs, and for those that are computed the texts that they are computed from.

        A selection says itself what its branches wrote, but for one that is computed in its turn.
        """
        nodes = self._graph.nodes
        found = list(self._graph.outputs)
        for name in found:
            if name in nodes and nodes[name].is_deterministic:
                said = nodes[name].takes_any
                found += [
                    parent
                    for parent in self._reads(name)
                    if parent not in found and not (said and nodes[parent].model_template)
                ]
        return found

    def _reads(self, name: str) -> list[str]:
        """The parents that a node's value is made of, without its gates and its elements' list."""
        beside = {*self._graph.nodes[name].gates, *self._graph.nodes[name].spread.values()}
        return [parent for parent in self._parents.get(name, ()) if parent not in beside]

    @cached_property
    def _parents(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        if pair_count(self._graph.edges) > MAX_EDGES:
            return found
        for edge in parse_edges(self._graph.edges):
            for parent, child in edge.pairs():
                if {parent.name, child.name} <= self._graph.nodes.keys():
                    several = meant(self._graph, parent.name, child.name)
                    found.setdefault(child.name, []).extend(several)
        return found


def unobserved(graph: Graph, observation: Observation) -> list[str]:
    """What data lacks of the nodes that models write: a node, or some of its copies.

    Nothing, where a name is unknown (SG801): it may stand for what seems to lack.
    """
    observed, expansion = Observed(graph, observation), Expansion(graph)
    found: list[str] = []
    if not all(is_known(graph, name) for name in resolve(graph, observation).names or ()):
        return found
    for name, node in graph.nodes.items():
        if observed.names is None or name in observed.names or node.model_template is None:
            continue
        if name in observed.branches:
            continue
        if not any(other.startswith(f"{name}[") for other in observed.names):
            found.append(name)
            continue
        found += [copy for copy in _copies(expansion, name) if copy not in observed.names]
    return found


def is_known(graph: Graph, name: str) -> bool:
    """Whether it is a node's name, or a copy's."""
    node = name.partition("[")[0]
    if node not in graph.nodes or "[" not in name:
        return node in graph.nodes
    expansion = Expansion(graph)
    copies = _copies(expansion, node)
    return name in copies or (
        bool(copies) and expansion.is_open(node) and name in expansion.last(node)
    )


def _copies(expansion: Expansion, name: str) -> list[str]:
    """The copies of a node; none, where nobody goes through so many."""
    if expansion.count(name) > MAX_VARIABLES:
        return []
    return [copy for copy, _ in copy_names(name, expansion.axes.get(name, {}))]
