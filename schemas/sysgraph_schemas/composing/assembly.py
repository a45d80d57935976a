"""A graph with parts becomes one without: every name of a part by what it stands for."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from ..diagnostics import GraphError, Path
from ..limits import MAX_YAML_NODES
from ..located import Entry, Located, listing, mapping, rewrite, scalar
from ..problems import (
    many_files,
    part_copies,
    part_output,
)
from .flat import Flat, is_part, items, section
from .giving import Giving
from .names import (
    edge_renamed,
    ends,
    loop_renamed,
    node_renamed,
    texts_changed,
    without,
    words,
)
from .part import Use, named


@dataclass
class Assembly(Giving):
    """One file's graph and its parts, put together."""

    _speaks: dict[str, set[str]] = field(default_factory=dict)

    def flat(self) -> Flat:
        """The graph without parts."""
        self._require_bounds()
        self.share()
        self.give_named()
        edges = [edge for item in items(self.root, "edges") for edge in self._edge(item)]
        loops = {name: Entry(e.key, self._loop(name, e.node)) for name, e in self.own("loops")}
        self.settle()
        for use in self.uses.values():
            edges += [*use.edges(), *use.gate_edges(self.gates.get(use.name, []))]
            for loop, edge in use.carry():
                loops[loop] = _carrying(loops[loop], edge)
        return self._put_together(edges, loops)

    def _put_together(self, edges: list[Located], loops: dict[str, Entry]) -> Flat:
        entries = dict(self.root.entries)
        several = {"models": dict(self.own("models")), "parsers": dict(self.own("parsers"))}
        nodes: dict[str, Entry] = {}
        for name, entry in self.own("nodes"):
            use = self.uses.get(name)
            if use is not None:
                for inner, one in use.nodes(self._gate(use)):
                    self._add(nodes, inner, one)
            elif ("nodes", name) not in self.lost:
                self._add(nodes, name, Entry(entry.key, self._node(name, entry.node)))
        for use in self.uses.values():
            for key, found in several.items():
                for inner, one in use.section(key):
                    self._add(found, inner, one)
            loops.update(use.loops())
        for key, entries_of in {"nodes": nodes, "loops": loops, **several}.items():
            self._set(entries, key, entries_of)
        self._set(entries, "edges", edges)
        self._set(entries, "outputs", self._outputs())
        flat = Flat(mapping(self.root, {**entries, **self._fit()}), broken=self._broken())
        flat.outputs = self._public()
        return flat

    def _set(
        self, entries: dict[str, Entry], key: str, found: dict[str, Entry] | list[Located]
    ) -> None:
        """A section of the file anew; one of the wrong type stays, to be told of."""
        known = entries.get(key)
        at = known.node if known else self.root
        if (known and not isinstance(at.value, type(found))) or not (known or found):
            return
        made = mapping(at, found) if isinstance(found, dict) else listing(at, found)
        entries[key] = Entry(known.key if known else scalar(at, key), made)

    def _add(self, found: dict[str, Entry], name: str, entry: Entry) -> None:
        if name in found:
            from ..problems import duplicate_key

            first = found[name].key.span
            self.problems.append(duplicate_key.diagnose(name, entry.key.span, first))
        else:
            found[name] = entry

    def _require_bounds(self) -> None:
        total = self.root.size
        for use in self.uses.values():
            total += use.flat.root.size
            if total > MAX_YAML_NODES:
                raise GraphError([many_files.many_values(use.node.entries["use"].node)])

    def _broken(self) -> set[Path]:
        found = set(self.lost)
        for use in self.uses.values():
            for key, *name in use.flat.broken:
                if key == "nodes" and name:
                    found.add((key, use.outer(str(name[0]))))
                elif key != "fit":
                    found.add((key, *(f"{use.name}.{one}" for one in name)))
        return found

    # --- edges and loops -----------------------------------------------------------------------

    def _edge(self, edge: Located, loop: str | None = None) -> list[Located]:
        """An edge of this file without parts: what goes into them is theirs."""
        both = ends(edge)
        if both is None:
            return [edge]
        parents, children = both
        told = self.told
        into = [child for child in children if child.name.partition(".")[0] in self.uses]
        for child in into:
            use = self.uses[child.name.partition(".")[0]]
            if child.name != use.name:
                self.tell(part_output.into, use.name, child.name, edge, child.within)
                continue
            for parent in parents:
                self.give(use, parent.name, (edge, parent.within), loop)
        for child in children:
            self._speaks.setdefault(child.name, set()).update(p.name for p in parents)
        names = {child.name for child in into}
        kept = without(edge, lambda end, parent: not parent and end.name in names)
        found = [] if kept is None else [edge_renamed(kept, self.means)]
        if self.told == told:
            return found
        self.lost.add(("edges",))
        return []

    def _loop(self, name: str, loop: Located) -> Located:
        def members(item: Located) -> list[Located]:
            use = self.uses.get(str(item.value))
            if use is None:
                return [edge_renamed(item, self.means)]
            if section(use.flat.root, "loops"):
                self.tell(part_copies.nested, use.name, item)
                return []
            whole = (0, len(str(item.value)))
            return [rewrite(item, [(*whole, member)]) for member in use.members]

        made = loop_renamed(loop, self.renames, members)
        carry = made.entries.get("carry")
        if carry is None or not isinstance(carry.node.value, list):
            return made
        edges = [one for item in carry.node.items for one in self._edge(item, name)]
        return mapping(
            made, {**made.entries, "carry": Entry(carry.key, listing(carry.node, edges))}
        )

    # --- the rest ------------------------------------------------------------------------------

    def _node(self, name: str, node: Located) -> Located:
        """A node of this file, with names for the parts that it reads."""
        if not isinstance(node.value, dict):
            return node
        used = words(node)
        if "tool" in node.entries and "args" not in node.entries:
            used |= self._speaks.get(name, set())
        node = node_renamed(node, self.renames)
        names: dict[str, str] = {}
        seen = [use for part, use in self.uses.items() if part in used]
        several = [use for use in seen if len(use.flat.outputs) > 1]
        for use in seen:
            for output, means in use.outputs.items():
                names[_joined(use.name, output) if use in several else use.name] = means
        if several:
            node = texts_changed(node, lambda text, whole: _inner_names(text, whole, several))
        said = words(node) | used
        return named(node, "names", {own: means for own, means in names.items() if own in said})

    def _outputs(self) -> list[Located]:
        """The file's outputs; of a part, all of its own."""
        found = []
        for item in items(self.root, "outputs"):
            use = self.uses.get(str(item.value))
            several = [*use.outputs.values()] if use else []
            if len(several) > 1:
                whole = (0, len(str(item.value)))
                found += [rewrite(item, [(*whole, name)]) for name in several]
            else:
                found.append(edge_renamed(item, self.means))
        return found

    def _public(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for item in items(self.root, "outputs"):
            name = str(item.value)
            use = self.uses.get(name)
            if use is not None and len(use.flat.outputs) > 1:
                found |= {f"{name}.{inner}": means for inner, means in use.outputs.items()}
            elif isinstance(item.value, str):
                found[name] = self.means(name, item, (0, len(name)))
        return found

    def _fit(self) -> dict[str, Entry]:
        """`fit`, where it names nodes or models of parts."""
        entry = self.root.entries.get("fit")
        if entry is None or not isinstance(entry.node.value, dict):
            return {}
        changed = dict(entry.node.entries)
        for key, rename in (("observed", self.means), ("train", self.model)):
            one = changed.get(key)
            if one is not None and one.node.items:
                several = [edge_renamed(item, rename) for item in one.node.items]
                changed[key] = Entry(one.key, listing(one.node, several))
        return {"fit": Entry(entry.key, mapping(entry.node, changed))}


def _joined(part: str, output: str) -> str:
    """What a template calls one of several outputs: a name without dots."""
    return f"{part}__{output.replace('.', '__')}"


def _inner_names(text: Located, is_name: bool, uses: Sequence[Use]) -> Located:
    """`{{ solve.answer }}` as `{{ solve__answer }}`; where the text is a name, all of it."""
    import re

    known = {
        f"{use.name}.{output}": _joined(use.name, output) for use in uses for output in use.outputs
    }
    changes = []
    code_in = r".+" if is_name else r"\{\{.*?\}\}|\{%.*?%\}"
    for code in re.finditer(code_in, str(text.value), re.DOTALL):
        for found in re.finditer(r"(?<![\w.])[A-Za-z_]\w*(?:\.\w+)+", code[0]):
            longest = max((n for n in known if f"{found[0]}.".startswith(f"{n}.")), default=None)
            if longest is not None:
                start = code.start() + found.start()
                changes.append((start, start + len(longest), known[longest]))
    return rewrite(text, changes)


def _carrying(loop: Entry, edge: Located) -> Entry:
    """A loop that carries one edge more."""
    carry = loop.node.entries["carry"]
    more = Entry(carry.key, listing(carry.node, [*carry.node.items, edge]))
    return Entry(loop.key, mapping(loop.node, {**loop.node.entries, "carry": more}))


def parts_of(root: Located) -> dict[str, Entry]:
    """The entries of `nodes` that are parts."""
    return {name: entry for name, entry in section(root, "nodes").items() if is_part(entry.node)}
