"""`compile --emit text`: variables, terms by model, factorization, objective and what it costs."""

from collections.abc import Iterable, Sequence

from sysgraph_schemas.visible import visible

from ..program import Program, Term
from ..variable import Variable
from .objective import cost, objective
from .words import Words, counted, indent, table, total


def emit_text(program: Program) -> str:
    """The whole program; widths follow the content, and equal programs give equal text."""
    page = _Page(program)
    sections = {
        "variables": table([page.variable(v) for v in program.variables]),
        "terms, by model": page.terms(),
        "factorization": page.factorization(),
        "objective": objective(program, page.words),
        "computed in training": cost(program, page.words),
    }
    shown = [[title, *indent(lines)] for title, lines in sections.items() if lines]
    return "\n\n".join("\n".join(map(visible, lines)) for lines in [page.head(), *shown]) + "\n"


class _Page:
    def __init__(self, program: Program) -> None:
        self.program = program
        self.words = Words(program)
        self.outputs = frozenset(program.outputs)
        self.latent = frozenset(program.plan.latent)

    def head(self) -> list[str]:
        program = self.program
        lines = [f"program {program.name} (IR {program.ir_version})"]
        return lines + program.description.splitlines()

    def variable(self, variable: Variable) -> Sequence[str]:
        notes = self.words.place(variable)
        conditions = self.words.conditions(variable.name)
        notes += [f"when {conditions}"] if conditions else []
        notes += ["output"] if variable.name in self.outputs else []
        notes += ["unobserved"] if variable.name in self.latent else []
        notes += [decoding] if (decoding := str(variable.decoding)) else []
        how = self.words.how(variable, self.program.model_of(variable.name))
        return variable.name, variable.type, how, "; ".join(notes)

    def terms(self) -> list[str]:
        by_model: dict[str | None, list[Term]] = {}
        for term in self.program.terms:
            by_model.setdefault(term.model, []).append(term)
        lines: list[str] = []
        for model, terms in by_model.items():
            lines.append(self.model(model, terms))
            lines += indent(self.factor(term, terms) for term in terms)
        return lines

    def model(self, name: str | None, terms: Sequence[Term]) -> str:
        count = counted(len(terms), "term")
        if name is None:
            return f"(deterministic: probability 1, {count} of 0)"
        spec = self.program.models[name]
        what = f" {spec.summary}" if spec.summary else ""
        how = f"trained, {spec.training}" if terms[0].status == "trained" else terms[0].status
        if spec.bound is not None:
            how += ", a bound on log p" if spec.bound.is_bound else ", no bound on log p"
        how += ", cancels" if not any(map(self.counts, terms)) else ""
        return f"{name}: {spec.kind}{what} ({how}; {count})"

    def factor(self, term: Term, beside: Iterable[Term]) -> str:
        only = not self.counts(term) and any(map(self.counts, beside))
        marks = ["gated"] if term.gated else []
        marks += ["cancels"] if only else []
        return self.words.factor(term) + (f"  ({', '.join(marks)})" if marks else "")

    def counts(self, term: Term) -> bool:
        """Whether log p/p_ref has the term; nothing cancels of what is 0 anyway."""
        return term.model is None or term.variable in self.program.plan.policy

    def factorization(self) -> list[str]:
        likely = [term for term in self.program.terms if term.status != "deterministic"]
        if not self.program.terms:
            return []  # a program after an early pass
        return total("log p(s | x) = ", [self.words.gated_factor(term) for term in likely])
