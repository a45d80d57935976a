"""Every way that a flat list of variables can come out. Nothing here knows of sysgraph."""

import itertools
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Var:
    """One variable of the expanded system."""

    name: str
    kind: str  # lm | choice | parse | split | select | last | vote | read | field
    reads: list[list[str]]  # groups of variables, as the prompt shows them
    model: str = ""
    prefix: str = ""
    options: tuple[str, ...] = ()
    gates: dict[str, tuple[str, ...]] = field(default_factory=dict)
    element: tuple[str, int] | None = None
    meanings: dict[str, Any] = field(default_factory=dict)
    """What a parser makes of each text; None where it fails. Of a field: its key, and nothing."""
    past: list[list[str]] | None = None  # turns of a loop, the last name of each is never a group
    after: bool = False  # it stands after the loop that it remembers
    beside: list[list[str]] = field(default_factory=list)  # groups that are not shown as such
    tail: tuple[str, list[tuple[str, str]]] | None = None  # a text, and items with their labels
    count: str = ""  # what stands before the length of the element's list


@dataclass(frozen=True)
class Factor:
    """One factor of an outcome's probability."""

    model: str
    context: str
    value: str
    options: tuple[str, ...]


@dataclass
class Outcome:
    """One way the system can come out."""

    texts: dict[str, str] = field(default_factory=dict)
    values: dict[str, Any] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)  # rejected | skipped
    factors: list[Factor] = field(default_factory=list)

    def then(self, name: str, value: Any, factor: Factor | None = None) -> "Outcome":
        texts = {**self.texts, name: value} if factor else self.texts
        factors = [*self.factors, factor] if factor else self.factors
        return Outcome(texts, {**self.values, name: value}, self.absent, factors)

    def without(self, name: str, why: str) -> "Outcome":
        return Outcome(self.texts, self.values, {**self.absent, name: why}, self.factors)


class Oracle:
    """Goes over all outcomes of `vars`, and draws a row of probabilities for each context met.

    `values` are what each model can say; `rows` the probabilities of them, by context.
    """

    def __init__(
        self, vars: Sequence[Var], values: dict[str, list[str]], rng: random.Random
    ) -> None:
        self.vars, self.values, self.rng = vars, values, rng
        self.rows: dict[str, dict[str, list[float]]] = {}

    def outcomes(self, given: dict[str, str]) -> list[Outcome]:
        """All of them, from the values of the inputs."""
        return list(self._from(0, Outcome(values=given)))

    def probability(self, outcome: Outcome) -> float:
        p = 1.0
        for factor in outcome.factors:
            row = dict(
                zip(self.values[factor.model], self.rows[factor.model][factor.context], strict=True)
            )
            among = factor.options or tuple(row)
            p *= row[factor.value] / sum(row[value] for value in among)
        return p

    def _from(self, at: int, so_far: Outcome) -> Iterator[Outcome]:
        """All that begin as `so_far`, with the variables from `at` on still to come."""
        if at == len(self.vars):
            yield so_far
            return
        var = self.vars[at]
        why = self._absence(var, so_far)
        if why is not None:
            yield from self._from(at + 1, so_far.without(var.name, why))
        elif var.kind in ("lm", "choice"):
            context = self._context(var, so_far)
            rows = self.rows.setdefault(var.model, {})
            rows.setdefault(context, self._row(len(self.values[var.model])))
            for value in var.options or self.values[var.model]:
                factor = Factor(var.model, context, value, var.options)
                yield from self._from(at + 1, so_far.then(var.name, value, factor))
        else:
            value = self._computed(var, so_far)
            after = (
                so_far.without(var.name, "rejected")
                if value is None
                else so_far.then(var.name, value)
            )
            yield from self._from(at + 1, after)

    def _absence(self, var: Var, so_far: Outcome) -> str | None:
        for choice, options in var.gates.items():
            if so_far.values.get(choice, options[0]) not in options:
                return "skipped"
        if var.element and len(so_far.values.get(var.element[0], [0] * 9)) < var.element[1]:
            return "skipped"
        if var.kind == "last":
            ran = (n for (n,) in var.reads if so_far.absent.get(n) != "skipped")
            return so_far.absent.get(next(ran, ""), "") or (
                None if any(n in so_far.values for (n,) in var.reads) else "skipped"
            )
        needed = [[choice] for choice in var.gates]
        needed += [[var.element[0]]] if var.element else []
        if var.kind == "select":
            branches = list(itertools.chain(*var.reads))
            if not any(name in so_far.values for name in branches):
                needed.append(branches)
        else:
            needed += [group for group in (*var.reads, *var.beside) if group]
        reasons = set()
        remembered = list(itertools.chain(*var.past or []))
        if any(so_far.absent.get(name) == "rejected" for name in remembered):
            reasons.add("rejected")
        elif var.after and not any(name in so_far.values for name in remembered):
            reasons.add("skipped")
        for group in needed:
            if any(so_far.absent.get(name) == "rejected" for name in group):
                reasons.add("rejected")
            elif not any(name in so_far.values for name in group):
                reasons.add("skipped")
        return "skipped" if "skipped" in reasons else next(iter(reasons), None)

    def _context(self, var: Var, so_far: Outcome) -> str:
        parts = [
            "+".join(so_far.values[name] for name in group if name in so_far.values)
            for group in var.reads
        ]
        if var.past is not None:
            turns = (turn for turn in var.past if any(name in so_far.values for name in turn))
            parts.append("".join(self._remembered(turn, so_far) for turn in turns))
        ends = f"{var.count}{len(so_far.values[var.element[0]])}" if var.count else ""
        if var.element:
            ends += "/" + so_far.values[var.element[0]][var.element[1] - 1]
        if var.tail:
            ends += var.tail[0] + "".join(f"{k}{so_far.values[n]}" for k, n in var.tail[1])
        return "/".join([var.prefix, *parts]) + ends

    def _remembered(self, turn: list[str], so_far: Outcome) -> str:
        values = [so_far.values.get(name, "") for name in turn]
        return f"[{','.join(['+'.join(values[:-1]), values[-1]] if values[1:] else values)}]"

    def _computed(self, var: Var, so_far: Outcome) -> Any:
        there = [so_far.values[n] for group in var.reads for n in group if n in so_far.values]
        if var.kind in ("select", "last"):
            return there[0]
        if var.kind == "vote":
            return max(there, key=lambda text: (there.count(text), -there.index(text)))
        if var.kind == "read":
            return var.meanings[there[0]]
        if var.kind == "field":
            return there[0][next(iter(var.meanings))]
        if var.kind == "parse":
            return there[0][3:] if there[0].startswith("ok ") else None
        items = [item for item in there[0].split(";") if item]
        return items if len(items) <= 2 else None

    def _row(self, size: int) -> list[float]:
        weights = [self.rng.random() + 0.1 for _ in range(size)]
        return [weight / sum(weights) for weight in weights]
