"""A program's nodes and the links between them, from its variables."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from ..emit.words import Words
from ..expansion import ROUND
from ..program import Program, Term
from ..variable import Variable
from .clean import line
from .spec import PAIRED, Copy, LinkKind, Model, Node, Role, Shape


class NodeLink(NamedTuple):
    """An edge of the graph file, or what a loop carries."""

    parent: str
    child: str
    kind: LinkKind
    label: str


def read_nodes(program: Program) -> tuple[tuple[Node, ...], tuple[NodeLink, ...]]:
    """Every node with its copies, and every edge between nodes, in the program's order."""
    reader = _Reader(program)
    return tuple(map(reader.node, reader.copies)), tuple(
        link for name in reader.copies for link in reader.links(name)
    )


def read_models(program: Program) -> tuple[Model, ...]:
    """The models that have terms, in the order of the file."""
    status = {term.model: term.status for term in program.terms}
    found = []
    for name, spec in program.models.items():
        if name in status:
            what = spec.base.id if spec.base else spec.summary if spec.is_hosted else spec.kind
            what += f" of {len(spec.outcomes)}" if spec.outcomes else ""
            how = f"trained, {spec.training}" if status[name] == "trained" else status[name]
            found.append(Model(name, line(f"{what} ({how})")))
    return tuple(found)


class _Reader:
    def __init__(self, program: Program) -> None:
        self._program = program
        self.copies: dict[str, list[Variable]] = {}
        for variable in program.variables:
            if variable.last_of is None:  # the turns say what it has
                self.copies.setdefault(variable.node, []).append(variable)
        self._outputs = frozenset(map(self._node_of, program.outputs))
        starts: dict[str, str] = {}
        for variable in program.variables:
            if variable.turn is not None:
                starts.setdefault(variable.turn.loop, variable.node)
        self._starts = frozenset(starts.values())
        self._words = Words(program)

    def node(self, name: str) -> Node:
        """A node of the file, from its copies."""
        variables = self.copies[name]
        first = variables[0]
        own = [self._program.find_term(variable.name) for variable in variables]
        parents = (self._node_of(parent) for v in variables for parent in v.parents)
        return Node(
            name=name,
            kind=first.kind,
            role=_role(own),
            type=first.type,
            output=name in self._outputs,
            shape=_shape(first),
            each=self._each(name),
            badge=self._badge(name),
            loop=first.turn.loop if first.turn else None,
            turns=self._shown_turns(name),
            gates=tuple(
                dict.fromkeys(
                    f"{gate.choice} = {' or '.join(gate.options)}"
                    for variable in variables
                    for gate in variable.gates
                )
            ),
            options=first.options,
            tool=_tool(first),
            parser=_parser(self._program, first.parser),
            decoding=str(first.decoding),
            prompt=first.prompt,
            messages=tuple(said for part in first.messages or () for said in part.shown),
            parents=tuple(dict.fromkeys(parents)),
            copies=tuple(
                Copy(v.name, t.model if t else None, self._factor(t))
                for v, t in zip(variables, own, strict=True)
            ),
        )

    def links(self, name: str) -> Iterator[NodeLink]:
        """The arrows into a node: those of the first turn, and what the next one is given."""
        first = self.copies[name][0]
        gates = {self._program.variable(gate.choice).node for gate in first.gates}
        for parent, count in self._seen(first).items():
            if parent in gates:
                yield NodeLink(parent, name, "gate", self._options(name, parent))
            else:
                paired = count < len(self.copies[parent]) // max(1, self._turns(parent))
                yield NodeLink(parent, name, "value", PAIRED if paired else "")
        for later in self.copies[name]:
            if later.turn is not None and later.turn.number == 2:
                yield from self._into_next(name, later)
                break

    def _into_next(self, name: str, later: Variable) -> Iterator[NodeLink]:
        """What a second turn is given, and the choice that says whether there is one."""
        assert later.turn is not None
        loop, over = later.turn.loop, later.turn.over
        each = f"next of {self._node_of(over)}" if over is not None else "next turn"
        ends = {
            self._program.variable(gate.choice).node: gate
            for gate in later.gates
            if self._is_before(gate.choice, later)
        }
        remembered = {self._node_of(parent) for parent in later.remembered}
        for parent in self._seen(later, carried=True):
            if parent not in ends:
                what = f"{each}, all before" if parent in remembered else each
                yield NodeLink(parent, name, "next", f"{loop} · {what}")
            elif name in self._starts:  # it holds for the whole turn, and is told where that begins
                rest = ends[parent].options
                stop = [option for option in self.copies[parent][0].options if option not in rest]
                yield NodeLink(parent, name, "until", line(f"until {' or '.join(stop)}"))

    def _is_before(self, name: str, later: Variable) -> bool:
        turn = self._program.variable(name).turn
        own = later.turn
        return turn is not None and own is not None and (turn.loop == own.loop and turn != own)

    def _node_of(self, name: str) -> str:
        """The node that a variable is a copy of, or whose last turn it has."""
        variable = self._program.variable(name)
        return variable.last_of or variable.node

    def _seen(self, variable: Variable, carried: bool = False) -> dict[str, int]:
        """The parents by node: how many copies, of this turn and outside, or of the one before."""
        found: dict[str, int] = {}
        for name in variable.parents:
            parent, turn = self._program.variable(name), variable.turn
            same = parent.turn is not None and turn is not None and parent.turn.loop == turn.loop
            if (same and parent.turn != turn) == carried:
                node = self._node_of(name)
                found[node] = found.get(node, 0) + 1
        return found

    def _options(self, name: str, choice: str) -> str:
        """Under which options of a choice a node runs; its copies may differ."""
        options = {
            gate.options
            for variable in self.copies[name]
            for gate in variable.gates
            if self._program.variable(gate.choice).node == choice
        }
        return line(" or ".join(options.pop())) if len(options) == 1 else "by copy"

    def _turns(self, name: str) -> int:
        last = self.copies[name][-1].turn
        return last.number if last else 0

    def _shown_turns(self, name: str) -> str:
        last = self.copies[name][-1].turn
        return "" if last is None else f"{'≤' if last.is_open else ''}{last.number}"

    def _each(self, name: str) -> str | None:
        """The `for_each` items: `agent: ada, bo`, `one per caption, up to 5`."""
        variables = self.copies[name]
        parts = []
        for key in variables[0].bindings:
            if key != ROUND or variables[0].turn is None:
                items = dict.fromkeys(str(v.bindings[key]) for v in variables)
                parts.append(f"{key}: {', '.join(items)}")
        for key in _spread(variables[0]):
            most = max(variable.elements[key].index for variable in variables)
            parts.append(f"one per {key}, up to {most}")
        return "; ".join(parts) or None

    def _badge(self, name: str) -> str:
        variables = self.copies[name]
        if self._each(name) is None:
            return ""
        count = len(variables) // max(1, self._turns(name))
        return f"×{'≤' if _spread(variables[0]) else ''}{count}"

    def _factor(self, term: Term | None) -> str | None:
        """Log p_model(variable | parents), and where there is one."""
        if term is None:
            return None
        zero = " = 0" if term.model is None else ""
        return self._words.gated_factor(term) + zero


def _spread(variable: Variable) -> list[str]:
    """The keys that take a list's elements, without that which the turns of a loop are for."""
    own = variable.turn.element if variable.turn is not None else None
    return [key for key in variable.elements if key != own]


def _shape(variable: Variable) -> Shape:
    looks: tuple[tuple[bool, Shape], ...] = (
        (variable.is_given, "pill"),
        (variable.selects, "trapezoid"),
        (variable.tool is not None, "octagon"),
        (variable.parser is not None, "bars"),
        (bool(variable.options), "hexagon"),
        (variable.field is not None, "bars"),
        (variable.type == "image", "photo"),
    )
    return next((shape for fits, shape in looks if fits), "box")


def _tool(variable: Variable) -> str | None:
    if variable.tool is None:
        return None
    settings = "".join(f", {key} {value!r}" for key, value in variable.tool.settings.items())
    failure = f", on_failure {variable.tool.on_failure!r}" if variable.tool.on_failure else ""
    return variable.tool.name + settings + failure


def _role(terms: Sequence[Term | None]) -> Role:
    statuses: set[Role] = {"input" if term is None else term.status for term in terms}
    return statuses.pop() if len(statuses) == 1 else "mixed"


def _parser(program: Program, name: str | None) -> str | None:
    if name is None:
        return None
    spec: dict[str, Any] = program.parsers[name].model_dump(exclude_defaults=True, exclude={"kind"})
    settings = "".join(f", {key} {value!r}" for key, value in spec.items())
    return f"{name} ({program.parsers[name].kind}{settings})"
