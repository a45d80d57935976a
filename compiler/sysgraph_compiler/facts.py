"""What every check and pass wants to know about a graph, worked out once."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import cached_property
from itertools import product

from sysgraph_schemas import Code, Decoding, Diagnostic, Graph, Note, Span
from sysgraph_schemas.diagnostics import Path, problem
from sysgraph_schemas.limits import MAX_VARIABLES
from sysgraph_schemas.scalar_map import offsets

from .copies import Scalar
from .model_use import ModelUse, used_models
from .observation import EVERYTHING, Observation
from .presence import Presence
from .prompts import Prompts
from .templates.flaw import Flaw
from .templates.model_name import flaw_of, gate_options, keys_of


class Facts(Prompts):
    """What there is to know of a graph besides its wiring and prompts: copies, ways, places."""

    def __init__(
        self,
        graph: Graph,
        observation: Observation = EVERYTHING,
        tools: Collection[str] = (),
    ) -> None:
        super().__init__(graph)
        self.observation = observation
        self.tools = frozenset(tools)
        """Names of tools that whoever compiles has besides those that packages register."""

    # --- copies and ways -----------------------------------------------------------------------

    @cached_property
    def presence(self) -> Presence:
        """When each node runs."""
        return Presence(self)

    @cached_property
    def oversized(self) -> frozenset[str]:
        """The copied nodes of a program with too many variables: nobody goes through the copies."""
        counts = {name: self.expansion.count(name) for name in self.graph.nodes}
        if sum(counts.values()) <= MAX_VARIABLES:
            return frozenset()
        return frozenset(name for name, count in counts.items() if count > 1)

    @cached_property
    def last_turns(self) -> frozenset[str]:
        """The nodes of open loops whose last turn something outside of the loop reads."""
        loop_of = self.expansion.loop_of
        read = {
            parent
            for parent, child in self.links
            if loop_of.get(parent) != loop_of.get(child) and parent not in self.remembered(child)
        }
        read |= {loop.over for loop in self.graph.loops.values() if loop.over is not None}
        read |= {*self.graph.outputs}
        return frozenset(name for name in read if self.expansion.is_open(name))

    def possible(self, name: str, options: Sequence[str]) -> list[str]:
        """The options of a gate, a template over the `for_each` keys standing for all it can be."""
        found: dict[str, None] = {}
        for option in options:
            keys = keys_of(option) if "{" in option and name not in self.oversized else ()
            for bindings in self.bindings(name, keys):
                found.update(dict.fromkeys(gate_options([option], bindings)))
        return list(found)

    def bindings(self, name: str, keys: Iterable[str]) -> Iterator[dict[str, Scalar]]:
        """Every combination of the values that keys take: of a node's listed items and turns."""
        axes = self.expansion.axes.get(name, {})
        spread = self.graph.nodes[name].spread
        known = [key for key in keys if key in axes and key not in spread]
        for values in product(*(axes[key] for key in known)):
            yield dict(zip(known, values, strict=True))

    @cached_property
    def has_ways(self) -> bool:
        """Whether it is known when each node runs: wiring, loops and gates are in order."""
        settled = self.is_wired and not self.has_cycle and not self.oversized and not self.doubtful
        return settled and all(map(self._is_settled, self.graph.nodes)) and self.presence.is_known

    def _is_settled(self, name: str) -> bool:
        """Whether a node's gates are on options of choices, and its elements those of lists."""
        nodes, node = self.graph.nodes, self.graph.nodes[name]
        return all(
            (gate, name) in self.links and {*self.possible(name, options)} <= {*nodes[gate].choices}
            for gate, options in node.gates.items()
        ) and all(
            (source, name) in self.links and self.is_list(source) for source in node.spread.values()
        )

    def may_lack(self, name: str) -> bool:
        """Whether a trace may end before the node has a value: it, or its record, may not parse."""
        node = self.graph.nodes[name]
        return node.can_end or (node.part is not None and self.graph.nodes[node.part[0]].can_end)

    # --- types ---------------------------------------------------------------------------------

    @cached_property
    def bad_model_templates(self) -> frozenset[str]:
        """Nodes whose `model` is no name and no template that could give one."""
        found: set[str] = set()
        for name, node in self.graph.nodes.items():
            text = node.model_template
            if text is not None and "{" in text:
                keys = {*self.keys(name)} - {*node.spread}
                if flaw_of(text) or not keys_of(text).keys() <= keys:
                    found.add(name)
        return frozenset(found)

    @cached_property
    def used_models(self) -> tuple[ModelUse, ...]:
        """The models that each node asks for, without nodes whose `model` gives no name."""
        return tuple(used_models(self))

    @cached_property
    def decodings(self) -> tuple[tuple[str, str, Decoding], ...]:
        """How each node draws from each model that it asks for: (node, model, its settings)."""
        nodes, models = self.graph.nodes, self.graph.models
        return tuple(
            (node, model, nodes[node].decoding.over(models[model].decoding))
            for node, _, model, _ in self.used_models
            if model in models
        )

    def setting(self, node: str, model: str, key: str) -> Path:
        """Where it is said how a node draws from a model: at the node, or else at the model."""
        own = key in self.graph.nodes[node].decoding.given
        return ("nodes", node, key) if own else ("models", model, key)

    # --- templates -----------------------------------------------------------------------------

    # --- diagnostics ---------------------------------------------------------------------------

    def diagnose(
        self,
        code: Code,
        message: str,
        path: Path,
        *,
        key: bool = False,
        within: tuple[int, int] | None = None,
        help: str | None = None,
        notes: tuple[Note, ...] = (),
    ) -> Diagnostic:
        """A problem at a path: at its value, at its key, or `within` its text (start, end)."""
        span = self.key(path) if key else self.value(path, within)
        return problem(code, message, path=path, span=span, help=help, notes=notes)

    def is_of_file(self, problem: Diagnostic) -> bool:
        """Whether it is about what the file has; a field has but the problems of its record."""
        name = str(problem.path[1]) if problem.path[:1] == ("nodes",) and problem.path[1:] else ""
        return name not in self.graph.nodes or self.graph.nodes[name].part is None

    def flaw(self, code: Code, path: Path, flaw: Flaw) -> Diagnostic:
        """A template's flaw, placed in the file."""
        within = (flaw.start, flaw.end)
        return self.diagnose(code, flaw.message, path, within=within, help=flaw.help)

    def key(self, path: Path) -> Span | None:
        """Where the key of the path's last step stands."""
        return self.places.key(path) if self.places else None

    def value(self, path: Path, within: tuple[int, int] | None = None) -> Span | None:
        """Where the value at a path stands, or a part of its text."""
        if self.places is None:
            return None
        node = self.places.find(path)
        if node is None or within is None or not isinstance(node.value, str):
            return self.places.value(path)
        start, end = offsets(node, *within)
        return node.source.span(start, end)
