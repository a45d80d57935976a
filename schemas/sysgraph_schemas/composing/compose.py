"""From a graph file to one graph: its base below it, values for its variables, texts, parts."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from pydantic import ValidationError

from ..diagnostics import Diagnostic, GraphError, Path
from ..limits import MAX_YAML_NODES
from ..located import Entry, Located, Places, listing, mapping
from ..part import PartNode
from ..problems import bad_reference, many_files, part_copies, part_output
from ..source import Source
from ..validate import faults_of, validate
from ..yaml_reader import read_yaml
from .assembly import Assembly, parts_of
from .base import overlaid
from .files import Chain, Files
from .flat import Flat, items, section
from .part import Use
from .variables import Variables, declared, given, unknown

Override = Callable[[Located], Located]
_MERGED = ("models", "parsers", "nodes", "loops", "edges")


@dataclass
class Composer:
    """Puts one graph together, and keeps everything that is wrong with its files."""

    files: Files
    problems: list[Diagnostic] = field(default_factory=list)
    _trees: dict[str, Located] = field(default_factory=dict)
    _as_read: set[int] = field(default_factory=set)
    _parts: dict[tuple[str, str], Flat | None] = field(default_factory=dict)

    def graph(self, root: Located, override: Override) -> Flat:
        """The graph of the file that was given.

        Args:
            root: what it holds.
            override: what the command line changes in it.

        Raises:
            GraphError: its base cannot be read, or it is too much.
        """
        self._as_read.add(id(root))
        whole = self._on_base(root, self.files.start)
        defaults, wrong = declared(whole)
        self.problems += wrong
        changed = override(whole)
        return self._flat(changed, defaults, section(changed, "vars"), (), self.files.start)

    # --- one file ------------------------------------------------------------------------------

    def _on_base(self, root: Located, chain: Chain) -> Located:
        """The file over its base, which may have one itself."""
        entry = root.entries.get("base")
        if entry is None:
            return root
        name = self.files.find(entry.node, entry.key.source, chain)
        base = self._on_base(self._tree(name, entry.node), (*chain, name))
        whole = overlaid(root, base)
        if whole.size > MAX_YAML_NODES:
            raise GraphError([many_files.many_values(entry.node)])
        return whole

    def _tree(self, name: str, reference: Located) -> Located:
        """What a file holds."""
        if name not in self._trees:
            root, duplicates = read_yaml(self.files.read(name, reference))
            self.problems += duplicates
            self._trees[name] = root
            self._as_read.add(id(root))
        root = self._trees[name]
        if not isinstance(root.value, dict):
            raise GraphError([bad_reference.no_graph(reference, root.span)])
        return root

    def _flat(
        self,
        root: Located,
        defaults: Mapping[str, Entry],
        values: Mapping[str, Entry],
        path: Path,
        chain: Chain,
    ) -> Flat:
        own = {name: entry.node for name, entry in values.items() if name in defaults}
        found, wrong = given(defaults, own, (*path, "vars"))
        self.problems += wrong
        anywhere = id(root) not in self._as_read or "${" in root.source.text
        variables = Variables(found, self.problems, on="vars" in root.entries, anywhere=anywhere)
        filled, lost = variables.fill(root)
        filled = self._with_texts(filled, variables, lost)
        variables.unused(defaults)
        return self._assembled(filled, lost, chain)

    # --- texts ---------------------------------------------------------------------------------

    def _with_texts(self, root: Located, variables: Variables, lost: set[Path]) -> Located:
        """The file with the texts of `{file: ...}` in their places; `lost` are nodes without."""
        nodes = root.entries.get("nodes")
        if nodes is None or not isinstance(nodes.node.value, dict):
            return root
        made: dict[str, Entry] = {}
        for name, entry in nodes.node.entries.items():
            try:
                made[name] = Entry(entry.key, self._node(entry.node, variables))
            except GraphError as error:
                self.problems += error.diagnostics
                lost.add(("nodes", name))
        kept = [*made] == [*nodes.node.entries]
        if kept and all(made[n].node is entry.node for n, entry in nodes.node.entries.items()):
            return root
        entry = Entry(nodes.key, mapping(nodes.node, made))
        return mapping(root, {**root.entries, "nodes": entry})

    def _node(self, node: Located, variables: Variables) -> Located:
        entries = dict(node.entries)
        if "prompt" in entries:
            entries["prompt"] = self._text(entries["prompt"], variables)
        if "messages" in entries:
            messages = entries["messages"]
            several = [self._message(item, variables) for item in messages.node.items]
            if any(one is not item for one, item in zip(several, messages.node.items, strict=True)):
                entries["messages"] = Entry(messages.key, listing(messages.node, several))
        same = all(entries[key] is entry for key, entry in node.entries.items())
        return node if same else mapping(node, entries)

    def _message(self, message: Located, variables: Variables) -> Located:
        inner = message.entries.get("messages")
        if inner is not None:  # messages for each element of a list
            several = [self._message(item, variables) for item in inner.node.items]
            made = Entry(inner.key, listing(inner.node, several))
            return mapping(message, {**message.entries, "messages": made})
        entry = message.entries.get("content")
        text = self._text(entry, variables) if entry is not None else None
        if entry is None or text is None or text is entry:
            return message
        return mapping(message, {**message.entries, "content": text})

    def _text(self, entry: Entry, variables: Variables) -> Entry:
        """A text, from its file where it says one."""
        reference = entry.node.entries.get("file")
        if reference is None:
            return entry
        more = [key for key in entry.node.entries if key != "file"]
        if more:
            raise GraphError([bad_reference.no_text(entry.node.entries[more[0]].key, more[0])])
        name = self.files.find(reference.node, reference.key.source, self.files.start)
        found = self.files.read(name, reference.node)
        source = Source(found.name, found.text.replace("\r\n", "\n"))
        wrong = variables.wrong
        made = variables.within(_whole(source, _lines(source.text)))
        if variables.wrong > wrong:
            raise GraphError([])
        return Entry(entry.key, made)

    # --- parts ---------------------------------------------------------------------------------

    def _assembled(self, root: Located, lost: set[Path], chain: Chain) -> Flat:
        uses: dict[str, Use] = {}
        for name, entry in parts_of(root).items():
            try:
                use = self._use(name, entry, chain)
            except GraphError as error:
                self.problems += error.diagnostics
                use = None
            if use is None:
                lost.add(("nodes", name))
            else:
                uses[name] = use
        if not uses and not any(path[0] == "nodes" for path in lost):
            outputs = {str(item.value): str(item.value) for item in items(root, "outputs")}
            return Flat(root, outputs, lost)
        return Assembly(root, uses, lost, self.problems).flat()

    def _use(self, name: str, entry: Entry, chain: Chain) -> Use | None:
        """One part of a file; None where it is not usable, which is told."""
        node, path = entry.node, ("nodes", name)
        if "for_each" in node.entries:
            raise GraphError([part_copies.for_each(name, node.entries["for_each"].key)])
        try:
            spec = PartNode.model_validate(node.value)
        except ValidationError as error:
            raise GraphError(faults_of(PartNode, error, Places(node), path)) from None
        reference = node.entries["use"]
        file = self.files.find(reference.node, reference.key.source, chain)
        values = section(node, "vars")
        key = file, repr({k: e.node.value for k, e in values.items()})
        if key not in self._parts:
            self._parts[key] = None  # what is wrong with it is told once
            self._parts[key] = self._part(file, reference.node, values, path, (*chain, file))
        flat = self._parts[key]
        return None if flat is None else Use(name, entry.key, spec, node, file, flat)

    def _part(
        self,
        file: str,
        reference: Located,
        values: Mapping[str, Entry],
        path: Path,
        chain: Chain,
    ) -> Flat | None:
        root = self._on_base(self._tree(file, reference), chain)
        defaults, wrong = declared(root)
        self.problems += wrong
        unknown(values, defaults, (*path, "vars"))
        flat = self._flat(root, defaults, values, path, chain)
        return flat if self._is_graph(flat) else None

    def _is_graph(self, flat: Flat) -> bool:
        """Whether a part is a graph; what is in its sections is looked at where it goes."""
        found = [
            problem
            for problem in validate(flat.root)[1]
            if problem.path[:1] != ("fit",)
            and (len(problem.path) < 2 or problem.path[0] == "outputs")
        ]
        for name, node in flat.outputs.items():
            if not flat.knows(node) and ("nodes", node) not in flat.broken:
                at = next((i for i in items(flat.root, "outputs") if i.value == node), flat.root)
                found.append(part_output.no_node(name, at))
        self.problems += found
        return not found


def _whole(source: Source, text: str) -> Located:
    return Located(source, 0, len(text), text, "file")


def _lines(text: str) -> str:
    """A file's text; the line break that ends it is no part of a prompt."""
    return text.removesuffix("\n")
