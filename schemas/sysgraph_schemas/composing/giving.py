"""What a graph gives to its parts: their inputs, and models that stand for their own."""

from dataclasses import dataclass, field

from ..located import Located, mapping
from ..problems import part_input, part_model, part_parent, part_weights
from .flat import section
from .names import node_renamed
from .part import Use
from .scope import Scope

Place = tuple[Located, tuple[int, int]]


@dataclass
class Giving(Scope):
    """Finds the node that each input of each part is, and the models that parts share.

    `unclear` is what edges give that do not say to which input; `gates` are edges that gate.
    """

    unclear: dict[str, list[tuple[str, Place, str | None]]] = field(default_factory=dict)
    gates: dict[str, list[tuple[str, Located]]] = field(default_factory=dict)

    def share(self) -> None:
        """Which models stand for those of parts."""
        first: dict[str, Use] = {}
        for use in self.uses.values():
            models = use.spec.models
            known = first.setdefault(use.file, use)
            if known is not use and models is None and use.flat.models:
                names = [*use.flat.models]
                self.tell(part_weights.diagnose, use.name, use.key, known.name, known.key, names)
            for name, target in models.items() if isinstance(models, dict) else ():
                entry = use.node.entries["models"].node.entries[name]
                if name not in use.flat.models:
                    self.tell(part_model.of_part, use.name, entry.key, use.flat.models)
                    continue
                if self._has_model(target):
                    use.models[name] = self.model(target, entry.node, (0, len(target)))
                else:
                    known_models = self._models()
                    self.tell(part_model.of_graph, use.name, name, entry.node, known_models)

    def _has_model(self, name: str) -> bool:
        part, _, inner = name.partition(".")
        use = self.uses.get(part)
        found = section(self.root, "models")
        return name in found or (use is not None and inner in use.flat.models)

    def _models(self) -> list[str]:
        parts = [f"{use.name}.{name}" for use in self.uses.values() for name in use.flat.models]
        return [*section(self.root, "models"), *parts]

    # --- inputs --------------------------------------------------------------------------------

    def give_named(self) -> None:
        """`inputs:` of each part."""
        for use in self.uses.values():
            for name, target in (use.spec.inputs or {}).items():
                entry = use.node.entries["inputs"].node.entries[name]
                if name not in use.flat.inputs:
                    self.tell(part_parent.unknown_input, use.name, entry.key, use.flat.inputs)
                elif not self.is_node(target):
                    self._unknown(use, entry.node, (0, len(target)))
                    use.lost.add(name)
                else:
                    use.given[name] = self.means(target, entry.node, (0, len(target)))

    def _unknown(self, use: Use, at: Located, within: tuple[int, int]) -> None:
        known = [*section(self.root, "nodes")]
        self.tell(part_parent.unknown_node, use.name, at, within, known)

    def give(self, use: Use, name: str, place: Place, loop: str | None) -> None:
        """An edge from a node into a part; `loop` where that one carries it."""
        if not self.is_node(name):
            self._unknown(use, *place)
            return
        inputs = (use.spec.inputs or {}).items()
        named = [i for i, target in inputs if target == name and i in use.flat.inputs]
        means = self.means(name, *place)
        if name in (use.spec.when or {}):
            self.gates.setdefault(use.name, []).append((means, place[0]))
            if not named:
                return
        targets = named or ([name] if name in use.flat.inputs else [])
        for target in (one for one in targets if one not in use.lost):
            if use.given.get(target, means) != means:
                self.tell(part_parent.twice, use.name, target, *place, use.given[target])
            use.given[target] = means
            if loop is not None:
                use.carried[target] = (loop, place[0])
        if not targets:
            self.unclear.setdefault(use.name, []).append((means, place, loop))

    def settle(self) -> None:
        """What was given without a name is the only input that is left."""
        for use in self.uses.values():
            free = [i for i in use.flat.inputs if i not in use.given and i not in use.lost]
            waiting = self.unclear.get(use.name, [])
            if len(free) == 1 and len({means for means, _, _ in waiting}) == 1:
                means, place, loop = waiting[0]
                use.given[free[0]] = means
                if loop is not None:
                    use.carried[free[0]] = (loop, place[0])
                continue
            for _, place, _ in waiting:
                self.tell(part_parent.unclear, use.name, *place, free)
            if free and not waiting:
                self.tell(part_input.diagnose, use.name, free, use.key)

    def _gate(self, use: Use) -> Located | None:
        """The part's `when`, by what it stands for."""
        entry = use.node.entries.get("when")
        if entry is None or use.spec.when is None:
            return None
        shell = mapping(use.node, {"when": entry})
        return node_renamed(shell, self.renames).entries["when"].node
