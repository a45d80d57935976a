"""What prompts can see and what they use: types of values, names, and the templates themselves."""

from collections.abc import Iterable, Mapping
from functools import cached_property

from sysgraph_schemas import NodeSpec
from sysgraph_schemas.diagnostics import Path
from sysgraph_schemas.limits import MAX_TEMPLATE, MAX_TEMPLATE_CODE

from .expansion import NUMBER, ROUND, ROUNDS
from .templates.allow import forbidden
from .templates.flaw import Flaw
from .templates.kinds import COPY, element, is_list, labelled, listed, record
from .templates.names import asks_fields, free_names
from .templates.parse import Parsed, code_size, parse
from .templates.types import ANY, type_of_items
from .wiring import Wiring


class Prompts(Wiring):
    """A graph's wiring, with what its templates see and use."""

    # --- types -------------------------------------------------------------------------------

    def is_list(self, name: str) -> bool:
        """Whether the node's value is one list, read from a text or given by a tool."""
        node = self.graph.nodes[name]
        one = node.reader is not None and not self.expansion.is_group(name)
        return one and self.type_of(name) == "list[text]"

    @cached_property
    def types(self) -> dict[str, str]:
        """The type of one copy's value of each node, `any` where it is not known."""
        found: dict[str, str] = {}
        if self.has_cycle:
            return {name: self._own_type(node) for name, node in self.graph.nodes.items()}
        for name in self.dag.order():
            node = self.graph.nodes[name]
            branches = {found[parent] for parent in self.reads(name)} if node.takes_any else set()
            common = branches.pop() if len(branches) == 1 else ANY
            found[name] = common if node.takes_any else self._own_type(node)
        return found

    def _own_type(self, node: NodeSpec) -> str:
        return ANY if node.takes_any else node.value_type

    def type_of(self, name: str) -> str:
        """The type of one copy's value, as `Variable.type`, or `any`."""
        return self.types.get(name, ANY)

    # --- names -------------------------------------------------------------------------------

    def keys(self, name: str) -> list[str]:
        """What names a copy of a node: `for_each` keys, and `round`."""
        node = self.graph.nodes[name]
        turn = [ROUND] if name in self.expansion.loop_of else []
        return list(dict.fromkeys([*node.copies, *node.spread, *turn]))

    def local(self, name: str) -> Mapping[str, str]:
        """What a node's templates may use besides its parents, with the types."""
        found = self._locals.get(name)
        if found is None:
            found = self._locals[name] = self._local(name)
        return found

    @cached_property
    def _locals(self) -> dict[str, dict[str, str]]:
        """What `local` found, so far as it was asked."""
        return {}

    def _local(self, name: str) -> dict[str, str]:
        node, expansion = self.graph.nodes[name], self.expansion
        found = {key: type_of_items(items) for key, items in node.copies.items()}
        found |= dict.fromkeys(node.spread, "text")
        loop = expansion.loop(name)
        if loop is not None:
            found |= {ROUND: "number", ROUNDS: "number"}
            found |= {loop.element: "text"} if loop.over is not None else {}
        found |= {self.loop_said(name, loop): self._past(name, loop) for loop in self.history(name)}
        if expansion.is_group(name) and NUMBER not in {*self.sees[name], *found}:
            found[NUMBER] = "number"
        return found

    def _past(self, name: str, loop: str) -> str:
        """The type of a loop's history, as a node's templates see it."""
        past = self.graph.loops[loop].history
        if not self.graph.nodes.keys() >= {*past}:
            return ANY
        values = {s: self.in_templates(n) for n in past for s in self.said(name, n) or (n,)}
        return listed(record({ROUND: "number", **values}))

    def in_templates(self, name: str, reader: str | None = None) -> str:
        """The type of what templates see of a node: a group's items know their keys."""
        kind = self.type_of(name).replace("choice", "text")
        if not self.expansion.is_group(name) or kind == ANY:
            return kind
        keys = {key: type_of_items(items) for key, items in self.graph.nodes[name].copies.items()}
        shown = self.shown_elements(name, reader) if reader else ()
        return listed(labelled(kind, {**keys, **dict.fromkeys(shown, "text"), NUMBER: "number"}))

    def shown_elements(self, name: str, reader: str) -> list[str]:
        """The keys of a group that stand for elements of a list that the reader depends on too."""
        inside = self.expansion.loop_of
        carried = (name, reader) in self.expansion.carried
        return [
            key
            for key, source in self.graph.nodes[name].spread.items()
            if (source, reader) in self.links and not (carried and source in inside)
        ]

    def asks_fields(self, name: str) -> bool:
        """Whether a node's templates ask items of lists for more than their values."""
        paths = (("nodes", name, *path) for path in self.graph.nodes[name].templates)
        return any(self._asking.get(path, False) for path in paths)

    @cached_property
    def _asking(self) -> dict[Path, bool]:
        return {path: asks_fields(parsed) for path, parsed in self.sound()}

    def used(self, name: str) -> set[str]:
        """What a node's templates use: names, and the nodes of a loop whose turns they read."""
        names = {*self.uses.get(name, ())}
        past = self.history(name).items()
        return names.union(*(of for loop, of in past if self.loop_said(name, loop) in names))

    def remembered(self, name: str) -> set[str]:
        """The parents that a node after a loop sees in the loop's history alone."""
        past = self.history(name)
        if not past:
            return set()
        node, used = self.graph.nodes[name], self.uses.get(name, {})
        beside = {*used, *node.gates, *node.spread.values()}
        return {
            one
            for loop, nodes in past.items()
            if self.loop_said(name, loop) in used and self.expansion.loop_of.get(name) != loop
            for one in nodes
            if one not in beside
        }

    # --- scopes ------------------------------------------------------------------------------

    def scope(self, name: str) -> dict[str, str]:
        """The type of every name that the node's templates may use; a choice is a text there."""
        node = self.graph.nodes[name]
        own = record(dict.fromkeys((*node.copies, *node.spread), ANY))
        seen = {
            said: self.in_templates(parent, name)
            for parent in self.sees[name]
            for said in self.said(name, parent)
        }
        return {**self.local(name), **seen, COPY: own}

    def scope_at(self, path: Path) -> dict[str, str]:
        """The same for one template, with the names that it alone may use."""
        name, *inside = path[1:]
        scope = self.scope(str(name))
        local = self.graph.nodes[str(name)].local_keys.get(tuple(inside))
        if local is None:
            return scope
        key, source = local
        kind = scope.get(source, ANY)
        return {**scope, key: element(kind) if is_list(kind) else ANY}

    def seen_as(self, parent: str, child: str) -> str:
        """The type of a parent as its child sees it: all copies of a `for_each` node are a list."""
        kind = self.type_of(parent)
        is_group = self.expansion.is_group(parent) and not self.expansion.pairs(parent, child)
        return f"list[{kind}]" if is_group and kind != ANY else kind

    # --- templates ---------------------------------------------------------------------------

    @cached_property
    def template_code(self) -> int:
        """Characters of code in all templates that differ: what checking them costs."""
        return sum(map(code_size, set(self._template_texts.values())))

    @cached_property
    def _template_texts(self) -> dict[Path, str]:
        return {
            ("nodes", name, *path): text
            for name, node in self.graph.nodes.items()
            for path, text in node.templates.items()
            if len(text) <= MAX_TEMPLATE
        }

    @cached_property
    def templates(self) -> dict[Path, Parsed | Flaw]:
        """Every prompt and message, parsed, by its path; none of them beyond the caps."""
        if self.template_code > MAX_TEMPLATE_CODE:
            return {}
        texts = self._template_texts
        parsed = {text: parse(text) for text in set(texts.values())}
        return {path: parsed[text] for path, text in texts.items()}

    @cached_property
    def forbidden(self) -> dict[Parsed, tuple[Flaw, ...]]:
        """What is not allowed in each template."""
        parsed = {one for one in self.templates.values() if isinstance(one, Parsed)}
        return {one: forbidden(one) for one in parsed}

    def sound(self) -> Iterable[tuple[Path, Parsed]]:
        """The templates without syntax errors and without anything forbidden."""
        return self._sound.items()

    @cached_property
    def _sound(self) -> dict[Path, Parsed]:
        return {
            path: parsed
            for path, parsed in self.templates.items()
            if isinstance(parsed, Parsed) and not self.forbidden[parsed]
        }

    @cached_property
    def free_names(self) -> dict[Parsed, dict[str, int]]:
        """The names that each sound template needs from outside, with their lines."""
        return {parsed: free_names(parsed) for parsed in dict.fromkeys(self._sound.values())}

    @cached_property
    def uses(self) -> dict[str, dict[str, Path]]:
        """For each node whose templates are all sound: what they use, and in which first.

        Nodes by their names in the graph, and keys.
        """
        sound = self._sound
        found: dict[str, dict[str, Path]] = {}
        for name, node in self.graph.nodes.items():
            paths: list[Path] = [("nodes", name, *path) for path in node.templates]
            if all(path in sound for path in paths):
                found[name] = {}
                for path in paths:
                    own = node.local_keys.get(path[2:], ())[:1]
                    for used in self.free_names[sound[path]]:
                        if used.partition(".")[0] not in own:
                            found[name].setdefault(self._stands_for(name, used), path)
                for at, source in node.sources.items():
                    found[name].setdefault(self._stands_for(name, source), ("nodes", name, *at))
        return found

    def _stands_for(self, node: str, name: str) -> str:
        """The node or the record's field that a name in a template stands for, or the key."""
        if name in self.local(node):
            return name
        meant = self.meant(node, name)
        first = name.partition(".")[0]
        return (
            meant if first == name or meant in self.graph.nodes else self._stands_for(node, first)
        )

    def place_of(self, name: str, path: Path) -> tuple[int, int] | None:
        """Where a template first uses a node or a key; None: it is the whole value, no template."""
        parsed = self.templates.get(path)
        if not isinstance(parsed, Parsed):
            return None
        used, node = free_names(parsed), str(path[1])
        said = next((one for one in used if self._stands_for(node, one) == name), name)
        return parsed.find(said.partition(".")[0], used[said])
