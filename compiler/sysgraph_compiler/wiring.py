"""The edges of a graph: its DAG, who sees whom, and which parts of that are not known for sure."""

import re
from functools import cached_property

from sysgraph_schemas import Graph
from sysgraph_schemas.diagnostics import Path
from sysgraph_schemas.limits import MAX_EDGES, MAX_REPORTED
from sysgraph_schemas.located import Places
from sysgraph_schemas.suggest import closest

from .digraph import Digraph
from .edges import Edge, End, pair_count, parse_edges
from .expansion import Expansion, carry_edges
from .records import called, meant, record_of, with_fields


class Wiring:
    """A graph with its edges parsed and its DAG built.

    A graph that was read from a file with problems lacks parts; `is_broken` says which, and checks
    say nothing that only follows from them.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = with_fields(graph)
        self.places: Places | None = graph._places
        self.broken: frozenset[Path] = self.places.broken if self.places else frozenset()

    @property
    def is_sound(self) -> bool:
        """Whether the file the graph was read from, if any, had no problems."""
        return self.places is None or self.places.sound

    # --- what is there -------------------------------------------------------------------------

    def is_broken(self, *path: str | int) -> bool:
        """Whether this part of the file, or one that holds it, had problems."""
        return any(path[:length] in self.broken for length in range(1, len(path) + 1))

    def lost(self, section: str) -> frozenset[str]:
        """The names of a section whose content had problems."""
        return frozenset(str(p[1]) for p in self.broken if len(p) > 1 and p[0] == section)

    def names(self, section: str) -> list[str]:
        """Every name of a section, with those whose content had problems."""
        return [*getattr(self.graph, section), *self.lost(section)]

    @cached_property
    def expansion(self) -> Expansion:
        """What `for_each` and `loops` make of the nodes."""
        return Expansion(self.graph)

    # --- what templates call nodes ---------------------------------------------------------------

    def meant(self, node: str, name: str) -> str:
        """The node that a name in a node's templates stands for.

        What `names` says; else, in a part, the part's own node of that name.
        """
        return called(node, self.graph.nodes[node], name)

    def said(self, node: str, other: str) -> tuple[str, ...]:
        """What a node's templates call another node: `meant`, backwards."""
        named = self.graph.nodes[node].called
        if not named and "." not in node and "." not in other:
            return (other,)
        own = [name for name, means in named.items() if means == other]
        spec = self.graph.nodes.get(other)
        if spec is not None and spec.part:
            record, key = spec.part
            own += [f"{name}.{key}" for name, means in named.items() if means == record]
        part = node.rpartition(".")[0]
        plain = other.removeprefix(f"{part}.") if part else other
        if not part or other.startswith(f"{part}."):
            inner = plain.rpartition(".")[0] if spec is not None and spec.part else plain
            own += [plain] if plain not in named and "." not in inner else []
        return tuple(own)

    # --- edges ---------------------------------------------------------------------------------

    @cached_property
    def edge_count(self) -> int:
        """Parents times children of every edge."""
        return pair_count(self.graph.edges)

    @cached_property
    def edges(self) -> tuple[Edge, ...]:
        """Every edge but those that are no text."""
        if self.edge_count > MAX_EDGES:
            return ()
        skip = [i for i in range(len(self.graph.edges)) if self.is_broken("edges", i)]
        return parse_edges(self.graph.edges, skip)

    def is_own(self, edge: Edge) -> bool:
        """Whether the edge is not in the file: one from a record to its fields."""
        return edge.index >= self._written

    @cached_property
    def _written(self) -> int:
        records = {node.part[0] for node in self.graph.nodes.values() if node.part}
        return len(self.graph.edges) - len(records)  # one edge each, after those of the file

    @cached_property
    def links(self) -> dict[tuple[str, str], tuple[Edge, End, End]]:
        """(parent, child) of every edge between nodes, with where it is first written."""
        nodes = self.graph.nodes
        found: dict[tuple[str, str], tuple[Edge, End, End]] = {}
        for edge in self.edges:
            for parent, child in edge.pairs():
                if parent.name in nodes and child.name in nodes:
                    for name in meant(self.graph, parent.name, child.name):
                        found.setdefault((name, child.name), (edge, parent, child))
        return found

    @cached_property
    def parents(self) -> dict[str, list[str]]:
        """Each node's parents, in the order of the edges."""
        found: dict[str, list[str]] = {name: [] for name in self.graph.nodes}
        for parent, child in self.links:
            found[child].append(parent)
        return found

    @cached_property
    def sees(self) -> dict[str, list[str]]:
        """The nodes that each node's templates may use: its parents, and what loops carry to it."""
        carried = self.expansion.carried_into
        return {
            name: list(dict.fromkeys([*parents, *carried.get(name, ())]))
            for name, parents in self.parents.items()
        }

    def reads(self, name: str) -> list[str]:
        """The parents that a node's value is made of, without its gates and its elements' list."""
        node = self.graph.nodes[name]
        others = {*node.gates, *node.spread.values()}
        return [parent for parent in self.parents[name] if parent not in others]

    def named_parents(self, child: str) -> list[str]:
        """A node's parents, with those whose own content had problems."""
        pairs = (pair for edge in self.edges for pair in edge.pairs() if pair[1].name == child)
        return list(dict.fromkeys(p.name for p, _ in pairs if self.knows(p.name)))

    @cached_property
    def dag(self) -> Digraph[str]:
        """The nodes and edges, without edges into inputs (SG204); with no cycle, a DAG."""
        nodes = self.graph.nodes
        dag = Digraph(nodes, (link for link in self.links if not nodes[link[1]].is_input))
        for loop in self.graph.loops.values():
            into = [name for name in loop.nodes if name in nodes and not nodes[name].is_input]
            # What the loop itself leads to is no list for it (SG620).
            over = loop.over
            if over is not None and over in nodes and {over, *dag.above(over)}.isdisjoint(into):
                dag.add((over, name) for name in into)
        return dag

    def loop_said(self, node: str, loop: str) -> str:
        """What a node's templates call a loop: in a part, without the part's name."""
        part = node.rpartition(".")[0]
        return loop.removeprefix(f"{part}.") if part else loop

    def history(self, child: str) -> dict[str, list[str]]:
        """The loops whose earlier turns a node's templates may read, with what each remembers.

        Its own loop, and those from which edges lead to it from all that they remember; an edge
        from a record is one, whichever of its fields the node names. The loops of a part have no
        name outside of it.
        """
        if not any(loop.history for loop in self.graph.loops.values()):
            return {}  # it is asked once an edge
        parents, own = {*self.parents[child]}, self.expansion.loop_of.get(child)
        parents |= {part[0] for name in parents if (part := self.graph.nodes[name].part)}
        known = {
            name: [one for one in loop.history if one in self.graph.nodes]
            for name, loop in self.graph.loops.items()
        }
        return {
            name: known[name]
            for name, loop in self.graph.loops.items()
            if loop.history
            and "." not in self.loop_said(child, name)
            and (name == own or (child not in loop.nodes and parents >= {*known[name]}))
        }

    @cached_property
    def has_cycle(self) -> bool:
        """Whether some node is its own ancestor."""
        return self.dag.has_circle

    def depends(self, name: str, *, on: str) -> bool:
        """Whether a path of edges leads from `on` to the node."""
        return name == on or name in self.dag.below(on)

    @cached_property
    def is_wired(self) -> bool:
        """Whether every edge could be read and leads from a node to a node."""
        known = set(self.names("nodes"))
        ends = [end for edge in self.edges for end in (*edge.parents, *edge.children)]
        whole = self.edge_count <= MAX_EDGES
        whole = whole and not any(p[0] in ("edges", "nodes", "loops") for p in self.broken)
        return whole and all(not e.fault for e in self.edges) and all(e.name in known for e in ends)

    @cached_property
    def doubtful(self) -> frozenset[str]:
        """Nodes that a bad edge was likely meant for: their parents are not known for sure."""
        lost = ("edges",) in self.broken or ("nodes",) in self.broken
        if lost or self.lost_loops or self.edge_count > MAX_EDGES:
            return frozenset(self.graph.nodes)
        nodes = self.graph.nodes
        found: set[str] = set()
        misspelt: list[str] = []
        for edge in self.edges:
            if edge.fault:
                found |= {name for name in re.findall(r"\w+", edge.text) if name in nodes}
                continue
            strange = [e.name for e in (*edge.parents, *edge.children) if not self.knows(e.name)]
            if strange:
                misspelt += strange
                found |= {child.name for child in edge.children}
        found |= {near for name in misspelt[:MAX_REPORTED] if (near := closest(name, nodes))}
        return frozenset(found | self._doubtfully_carried)

    @cached_property
    def _doubtfully_carried(self) -> set[str]:
        """Nodes of loops that name something wrong."""
        found: set[str] = set()
        for loop in self.graph.loops.values():
            inside = {*loop.nodes}
            carried = list(carry_edges(loop))
            ends = {end.name for edge in carried for end in (*edge.parents, *edge.children)}
            faulty = any(edge.fault for edge in carried) or not ends <= inside
            into = {end.name for edge in carried for end in edge.children} & self.graph.nodes.keys()
            faulty = faulty or not all(self.graph.nodes[name].is_prompted for name in into)
            if faulty or not inside <= self.graph.nodes.keys():
                words = {word for text in loop.carry for word in re.findall(r"\w+", text)}
                found |= (inside | words) & self.graph.nodes.keys()
        return found

    def lacks_parent(self, name: str) -> bool:
        """Whether an edge leads to it from a node whose own content had problems."""
        lost = self.lost("nodes")
        return bool(lost) and not lost.isdisjoint(self.named_parents(name))

    @cached_property
    def lost_loops(self) -> bool:
        """Whether loops of the file are not in the graph, or not as they were meant."""
        keys = {str(path[0]) for path in self.broken}
        return any(
            key == "loops" or closest(key, type(self.graph).model_fields) == "loops" for key in keys
        )

    def knows(self, name: str) -> bool:
        """Whether there is a node of this name, with problems or without."""
        owner = name.rpartition(".")[0]
        return name in self.graph.nodes or any(self.is_broken("nodes", n) for n in (name, owner))

    def is_strange_field(self, name: str) -> bool:
        """Whether it is written as the field of a node that has none of the name (SG509)."""
        return record_of(self.graph, name) is not None
