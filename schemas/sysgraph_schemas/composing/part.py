"""A part: its nodes, models, parsers and loops under the names that they have outside of it."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from ..located import Entry, Located, listing, mapping, rewrite, scalar
from ..part import PartNode
from .flat import Flat, items, section
from .names import End, Renames, edge_renamed, ends, loop_renamed, node_renamed, without, words


@dataclass
class Use:
    """One use of a part.

    `given` is the node that each input is, `carried` the loop for those that a loop gives;
    `models` the models that stand for its own. `lost` are inputs that are given wrongly.
    """

    name: str
    key: Located
    spec: PartNode
    node: Located
    file: str
    flat: Flat
    given: dict[str, str] = field(default_factory=dict)
    carried: dict[str, tuple[str, Located]] = field(default_factory=dict)
    models: dict[str, str] = field(default_factory=dict)
    lost: set[str] = field(default_factory=set)

    # --- names ---------------------------------------------------------------------------------

    def outer(self, name: str) -> str:
        """What one of its nodes is called outside."""
        return self.given.get(name, f"{self.name}.{name}")

    def model(self, name: str) -> str:
        """What one of its models is called outside."""
        return self.models.get(name, f"{self.name}.{name}")

    @property
    def outputs(self) -> dict[str, str]:
        """Its outputs by their names in it: what they are called outside."""
        return {name: self.outer(node) for name, node in self.flat.outputs.items()}

    @property
    def members(self) -> list[str]:
        """Its nodes that are no inputs, as they are called outside."""
        return [self.outer(name) for name in self.flat.nodes if name not in self.flat.inputs]

    @property
    def _renames(self) -> Renames:
        return Renames(
            node=lambda name, at, within: self.outer(name),
            model=lambda name, at, within: self.model(name),
            parser=lambda name, at, within: f"{self.name}.{name}",
        )

    # --- what it adds to the graph ---------------------------------------------------------------

    def nodes(self, gates: Located | None) -> Iterator[tuple[str, Entry]]:
        """Its nodes; those that read no others also have the part's own gates."""
        for name, entry in self.flat.nodes.items():
            if name in self.given:
                continue
            node = node_renamed(entry.node, self._renames)
            if isinstance(node.value, dict):
                node = self._called(name, node)
                if gates is not None and name in self.flat.firsts:
                    node = _gated(node, gates)
            yield self.outer(name), Entry(scalar(entry.key, self.outer(name)), node)

    def section(self, name: str) -> Iterator[tuple[str, Entry]]:
        """Its models or parsers; a model that another one stands for is left out."""
        for own, entry in section(self.flat.root, name).items():
            if name != "models" or own not in self.models:
                new = f"{self.name}.{own}"
                yield new, Entry(scalar(entry.key, new), entry.node)

    def loops(self) -> Iterator[tuple[str, Entry]]:
        """Its loops, under new names."""
        for own, entry in section(self.flat.root, "loops").items():
            new = f"{self.name}.{own}"
            rename = self._renames.node
            loop = loop_renamed(entry.node, self._renames, self._member)
            if "carry" in loop.entries:
                carry = loop.entries["carry"]
                several = [edge_renamed(item, rename) for item in carry.node.items]
                entries = {**loop.entries, "carry": Entry(carry.key, listing(carry.node, several))}
                loop = mapping(loop, entries)
            yield new, Entry(scalar(entry.key, new), loop)

    def _member(self, item: Located) -> list[Located]:
        return [edge_renamed(item, self._renames.node)]

    def edges(self) -> Iterator[Located]:
        """Its edges; those of an input that a loop carries are that loop's."""
        told: set[tuple[str, str]] = set()
        for edge in items(self.flat.root, "edges"):
            both = ends(edge)
            if both is None:
                yield edge
                continue
            again = self._told(told, *both)

            def gone(end: End, parent: bool, again: set[str] = again) -> bool:
                return parent and (end.name in self.carried or end.name in again)

            kept = without(edge, gone)
            if kept is not None:
                yield edge_renamed(kept, self._renames.node)

    def _told(
        self, told: set[tuple[str, str]], parents: list[End], children: list[End]
    ) -> set[str]:
        """Inputs of an edge that give what another one gave already, as both are one node."""
        again = set()
        for parent in parents:
            if parent.name in self.given:
                pairs = {(self.given[parent.name], child.name) for child in children}
                again |= {parent.name} if pairs <= told else set()
                told |= pairs
        return again

    def carry(self) -> Iterator[tuple[str, Located]]:
        """What loops around it carry into it: the loop, and the edge."""
        for edge in items(self.flat.root, "edges"):
            parents, children = ends(edge) or ([], [])
            readers = ", ".join(self.outer(child.name) for child in children)
            for parent in parents:
                if parent.name in self.carried:
                    loop, at = self.carried[parent.name]
                    text = f"{self.given[parent.name]} -> {readers}"
                    yield loop, rewrite(at, [(0, len(str(at.value)), text)])

    def gate_edges(self, edges: list[tuple[str, Located]]) -> Iterator[Located]:
        """Edges from the part's gates to the nodes that have them."""
        firsts = ", ".join(self.outer(name) for name in self.flat.nodes if name in self.flat.firsts)
        for gate, at in edges:
            yield rewrite(at, [(0, len(str(at.value)), f"{gate} -> {firsts}")])

    # --- what its templates call others ----------------------------------------------------------

    def _called(self, name: str, node: Located) -> Located:
        """A node that knows what its templates mean by the part's inputs and models."""
        used = words(node)
        if "tool" in node.entries and "args" not in node.entries:
            used |= self.flat.parents.get(name, set())
        inputs = {one: means for one, means in self.given.items() if one in used}
        node = named(node, "names", inputs)
        if self.models and "{" in str(node.value.get("model", "")):  # type: ignore[attr-defined]
            node = named(node, "model_names", self.models)
        return node


def named(node: Located, key: str, names: dict[str, str]) -> Located:
    """A node with names for others, beside those that it has."""
    if not names:
        return node
    known = node.entries.get(key)
    entries = dict(known.node.entries) if known else {}
    for name, means in names.items():
        entries.setdefault(name, Entry(scalar(node, name), scalar(node, means)))
    made = mapping(known.node if known else node, entries)
    return mapping(node, {**node.entries, key: Entry(scalar(node, key), made)})


def _gated(node: Located, gates: Located) -> Located:
    own = node.entries.get("when")
    known = own.node.entries if own else {}
    made = mapping(gates, {**gates.entries, **known})
    return mapping(node, {**node.entries, "when": Entry(scalar(gates, "when"), made)})
