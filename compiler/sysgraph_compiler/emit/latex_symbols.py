r"""Variables and conditions as LaTeX: `\text{draft}_{\text{ada},t}^{(a)}`."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from sysgraph_schemas.visible import visible

from ..copies import LAST
from ..expansion import ROUND
from ..program import Program
from ..variable import Variable
from .conditions import Chosen, Condition, Conditions, Long

_ESCAPES = {
    "\\": r"\textbackslash{}",
    **{char: f"\\{char}" for char in "{}$&#_%"},
    **{"~": r"\textasciitilde{}", "^": r"\textasciicircum{}"},
    **{"<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}"},
}


def text(name: str) -> str:
    r"""The name as `\text{...}`."""
    return f"\\text{{{''.join(_ESCAPES.get(char, char) for char in visible(name))}}}"


@dataclass(frozen=True)
class At:
    """Where a factor stands in sums: an index for each key of its copies, and a loop's turn."""

    indices: dict[str, str] = field(default_factory=dict)
    loop: str | None = None
    turn: int = 0
    """The turn that is written as t, and the one before as t - 1."""

    def number(self, variable: Variable) -> str:
        """A variable's turn; empty outside of loops."""
        if variable.last_of is not None:
            return text(LAST)
        if variable.turn is None:
            return ""
        if variable.turn.loop != self.loop:
            return str(variable.turn.number)
        behind = self.turn - variable.turn.number
        return "t" if not behind else f"t-{behind}"


HERE = At()
"""In no sum."""


def listed_bindings(variable: Variable) -> dict[str, str]:
    """The `for_each` values of a copy that are listed in the file: without its turn."""
    turn = {ROUND} if variable.turn is not None else set()
    return {key: str(item) for key, item in variable.bindings.items() if key not in turn}


class Symbols:
    """A program's variables as LaTeX. Unobserved ones are those of trajectory a."""

    def __init__(self, program: Program) -> None:
        self.variable = program.variable
        self.latent = frozenset(program.plan.latent)
        self.turns: dict[str, int] = {}
        self._conditions = Conditions(program).of
        self._together: dict[tuple[str, int], list[str]] = {}
        for variable in program.variables:
            number = 0
            if variable.turn is not None:
                number = variable.turn.number
                self.turns[variable.turn.loop] = max(self.turns.get(variable.turn.loop, 0), number)
            if variable.node in program.groups:
                self._together.setdefault((variable.node, number), []).append(variable.name)

    def beside(self, name: str) -> Sequence[str]:
        """All copies of a variable's node, in a loop those of its turn."""
        variable = self.variable(name)
        number = variable.turn.number if variable.turn else 0
        return self._together.get((variable.node, number), [name])

    def symbol(self, name: str, at: At = HERE) -> str:
        """One variable, with its indices."""
        variable = self.variable(name)
        items = {key: text(item) for key, item in listed_bindings(variable).items()}
        of_turn = variable.turn.element if variable.turn is not None else None
        elements = ((key, e) for key, e in variable.elements.items() if key != of_turn)
        items |= {key: str(element.index) for key, element in elements}
        below = [at.indices.get(key, item) for key, item in items.items()]
        return self._indexed(variable, [*below, at.number(variable)])

    def listed(self, names: Iterable[str], at: At = HERE) -> str:
        """The variables; all copies of a node, by the node's name alone."""
        shown: list[str] = []
        for beside, run in groupby(names, key=self.beside):
            some = list(run)
            mixed = 0 < len(self.latent.intersection(some)) < len(some)
            if some == beside and not mixed and len(some) > 1:
                first = self.variable(some[0])
                shown.append(self._indexed(first, [at.number(first)]))
            else:
                shown += [self.symbol(name, at) for name in some]
        return ", ".join(shown)

    def _indexed(self, variable: Variable, below: Iterable[str]) -> str:
        index = ",".join(part for part in below if part)
        return (
            text(variable.last_of or variable.node)
            + (f"_{{{index}}}" if index else "")
            + ("^{(a)}" if variable.name in self.latent else "")
        )

    def indicator(self, name: str, at: At = HERE) -> str:
        """1 where the variable exists; nothing for one that always does, or is counted by a sum."""
        variable = self.variable(name)
        counted = {
            Long(element.list, element.index)
            for key, element in variable.elements.items()
            if key in at.indices
        }
        conditions = (c for c in self._conditions.get(name, ()) if c not in counted)
        inside = ",\\ ".join(self._condition(condition, at) for condition in conditions)
        return f"\\mathbf{{1}}[{inside}] \\, " if inside else ""

    def _condition(self, condition: Condition, at: At) -> str:
        if isinstance(condition, Chosen):
            options = [text(option) for option in condition.options]
            choice = self.symbol(condition.choice, at)
            if len(options) == 1:
                return f"{choice} = {options[0]}"
            return f"{choice} \\in \\{{{', '.join(options)}\\}}"
        if isinstance(condition, Long):
            return f"|{self.symbol(condition.list, at)}| \\ge {condition.count}"
        return f"\\exists\\, {self.listed(condition.names, at)}"
