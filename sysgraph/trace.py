"""A trace: one assignment of values to a program's variables, complete or with gaps."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sysgraph_compiler import Program


@dataclass(frozen=True, slots=True)
class Completion:
    """What a language model wrote.

    `ids` are the tokens as sampled, with the end-of-sequence token unless the length limit cut the
    text; None for text that came without them.
    """

    text: str
    ids: tuple[int, ...] | None = None


Value = str | tuple[str, ...] | Completion


@dataclass(frozen=True)
class Trace:
    """Values by variable name (`draft[ada]`).

    A variable is in `values`, or in `nonexistent` (it hangs on a parser that rejected its text, and
    has no term), or in neither: then it was not observed. `outputs` names the final ones; `extra`
    holds the input row's other fields, for scorers. A text may be a plain str.
    """

    inputs: Mapping[str, str]
    values: Mapping[str, Value]
    outputs: tuple[str, ...] = ()
    nonexistent: frozenset[str] = frozenset()
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def failed(self) -> bool:
        """Whether a parser rejected its text on the way to an output."""
        return not self.nonexistent.isdisjoint(self.outputs)

    def __getitem__(self, variable: str) -> str | tuple[str, ...]:
        """The value of a variable or input, as plain text or texts."""
        value = self.inputs[variable] if variable in self.inputs else self.values[variable]
        return value.text if isinstance(value, Completion) else value

    def output(self) -> str:
        """The final outputs as one text, for scorers of systems that answer once."""
        parts = [self[name] for name in self.outputs if name in self.values]
        return "\n".join(part if isinstance(part, str) else "\n".join(part) for part in parts)


def plain(value: Value) -> str | list[str]:
    """A value as templates and files have it: a text, or a list of texts."""
    if isinstance(value, Completion):
        return value.text
    return value if isinstance(value, str) else list(value)


Plain = str | list[str] | list["Plain"] | None


def by_node(program: Program, trace: Trace) -> dict[str, Plain]:
    """The generated values as a preference file writes them: groups as lists, absent as null."""
    values: dict[str, Plain] = {name: plain(value) for name, value in trace.values.items()}
    return {
        node: [values.get(v) for v in variables]
        if node in program.groups
        else values.get(variables[0])
        for node, variables in generated_nodes(program).items()
    }


def ids_by_node(program: Program, trace: Trace) -> dict[str, list[list[int] | None]]:
    """The token ids of each generated text, by node, one entry per copy."""
    out: dict[str, list[list[int] | None]] = {}
    for node, variables in generated_nodes(program).items():
        values = [trace.values.get(v) for v in variables]
        ids = [list(v.ids) if isinstance(v, Completion) and v.ids else None for v in values]
        if any(ids):
            out[node] = ids
    return out


def input_names(program: Program) -> tuple[str, ...]:
    """The graph's inputs, in order."""
    return tuple(variable.name for variable in program.variables if variable.kind == "input")


def generated_nodes(program: Program) -> dict[str, tuple[str, ...]]:
    """The graph's nodes that are no inputs, in order, each with its variables."""
    nodes: dict[str, tuple[str, ...]] = {}
    for variable in program.variables:
        if variable.kind != "input":
            nodes[variable.node] = (*nodes.get(variable.node, ()), variable.name)
    return nodes
