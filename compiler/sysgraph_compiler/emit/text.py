"""`compile --emit text`: variables, terms by model, the factorization and the objective."""

from collections.abc import Iterable, Sequence
from itertools import groupby

from ..program import Program, Term, Variable

_GAP = "  "


def emit_text(program: Program) -> str:
    """The whole program; widths follow the content, and equal programs give equal text."""
    page = _Page(program)
    sections = [
        page.head(),
        ["variables", *_indent(_table([page.variable(v) for v in program.variables]))],
        ["terms, by model", *_indent(page.terms())],
        ["factorization", *_indent(page.factorization())],
        ["objective", *_indent(_objective(program))],
    ]
    return "\n\n".join("\n".join(lines) for lines in sections) + "\n"


class _Page:
    def __init__(self, program: Program) -> None:
        self.program = program
        self.outputs = frozenset(program.outputs)
        self.owner = {name: node for node, names in program.groups.items() for name in names}
        self.given = {
            variable.name: given
            for variable in program.variables
            if (given := self._parents(variable.parents))
        }

    def _parents(self, parents: Sequence[str]) -> str:
        """The parents; a whole group stands as `draft[*]`."""
        shown: list[str] = []
        for node, run in groupby(parents, key=lambda name: self.owner.get(name, "")):
            names = tuple(run)
            whole = bool(node) and len(names) > 1 and names == self.program.groups[node]
            shown += [f"{node}[*]"] if whole else names
        return ", ".join(shown)

    def head(self) -> list[str]:
        program = self.program
        lines = [f"program {program.name} (IR {program.ir_version})"]
        return lines + ([program.description] if program.description else [])

    def variable(self, variable: Variable) -> Sequence[str]:
        how = "input"
        if variable.kind != "input":
            by = f"parsed by {variable.parser}" if variable.parser else "generated"
            given = self.given.get(variable.name)
            how = f"{by} from {given}" if given else by
        return variable.name, variable.type, how, "output" if variable.name in self.outputs else ""

    def terms(self) -> list[str]:
        by_model: dict[str | None, list[Term]] = {}
        for term in self.program.terms:
            by_model.setdefault(term.model, []).append(term)
        lines: list[str] = []
        for model, terms in by_model.items():
            lines.append(_model(self.program, model, terms))
            lines += _indent(self.factor(term) for term in terms)
        return lines

    def factor(self, term: Term) -> str:
        given = self.given.get(term.variable)
        event = f"{term.variable} | {given}" if given else term.variable
        return f"log p({event})" if term.model is None else f"log p_{term.model}({event})"

    def factorization(self) -> list[str]:
        counted = [term for term in self.program.terms if term.status != "deterministic"]
        return _aligned("log p(s | x) = ", "+ ", [self.factor(term) for term in counted])


def _model(program: Program, name: str | None, terms: Sequence[Term]) -> str:
    count = f"{len(terms)} term{'' if len(terms) == 1 else 's'}"
    if name is None:
        return f"(deterministic: probability 1, {count} of 0)"
    spec = program.models[name]
    what = getattr(spec, "id", None) or f"{len(getattr(spec, 'values', ()))} values"
    status = terms[0].status
    how = f"{status}, {spec.train}" if status == "trained" else status
    return f"{name}: {spec.kind} {what} ({how}; {count})"


def _objective(program: Program) -> list[str]:
    trained = [term.variable for term in program.terms if term.status == "trained"]
    fit = program.fit
    if not trained:
        return ["nothing is trained"]
    margin = "log p/p_ref (chosen | x) - log p/p_ref (rejected | x)"
    sum_over = f"over {len(trained)} trained term{'' if len(trained) == 1 else 's'}"
    loss = {
        "sigmoid": "-log sigmoid(m)",
        "ipo": "(m / beta - 1 / (2 beta))^2",
        "hinge": "max(0, 1 - m)",
    }[fit.loss]
    per = "one loss per node, summed" if fit.credit == "node" else "one loss for the system"
    lines = [f"m = beta * [ {margin} ], beta = {fit.beta:g}, {sum_over}", f"loss = {loss}, {per}"]
    if fit.label_smoothing:
        lines.append(f"label smoothing {fit.label_smoothing:g}")
    if fit.anchor:
        lines.append(f"     + {fit.anchor:g} * negative log-likelihood per token of chosen")
    return lines


def _aligned(head: str, sign: str, parts: Sequence[str]) -> list[str]:
    if not parts:
        return [f"{head}0"]
    pad = " " * (len(head) - len(sign))
    return [head + parts[0], *(f"{pad}{sign}{part}" for part in parts[1:])]


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        _GAP.join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in rows
    ]


def _indent(lines: Iterable[str]) -> list[str]:
    return [_GAP + line for line in lines]
