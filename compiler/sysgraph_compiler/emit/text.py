"""`compile --emit text`: variables, terms by model, the factorization and the objective."""

from collections.abc import Iterable, Sequence
from itertools import groupby

from ..program import Program, Term, Variable

_GAP = "  "


def emit_text(program: Program) -> str:
    """The whole program; widths follow the content, and equal programs give equal text."""
    sections = [
        _head(program),
        ["variables", *_indent(_table([_variable(program, v) for v in program.variables]))],
        ["terms, by model", *_indent(_terms(program))],
        ["factorization", *_indent(_factorization(program))],
        ["objective", *_indent(_objective(program))],
    ]
    return "\n\n".join("\n".join(lines) for lines in sections) + "\n"


def _head(program: Program) -> list[str]:
    lines = [f"program {program.name} (IR {program.ir_version})"]
    return lines + ([program.description] if program.description else [])


def _variable(program: Program, variable: Variable) -> Sequence[str]:
    if variable.kind == "input":
        how = "input"
    else:
        by = f"parsed by {variable.parser}" if variable.parser else "generated"
        given = _given(program, variable)
        how = f"{by} from {given}" if given else by
    mark = "output" if variable.name in set(program.outputs) else ""
    return variable.name, variable.type, how, mark


def _terms(program: Program) -> list[str]:
    variables = {variable.name: variable for variable in program.variables}
    by_model: dict[str | None, list[Term]] = {}
    for term in program.terms:
        by_model.setdefault(term.model, []).append(term)
    lines: list[str] = []
    for model, terms in by_model.items():
        lines.append(_model(program, model, terms))
        lines += _indent(_factor(program, variables[term.variable], model) for term in terms)
    return lines


def _model(program: Program, name: str | None, terms: Sequence[Term]) -> str:
    count = f"{len(terms)} term{'' if len(terms) == 1 else 's'}"
    if name is None:
        return f"(deterministic: probability 1, {count} of 0)"
    spec = program.models[name]
    what = getattr(spec, "id", None) or f"{len(getattr(spec, 'values', ()))} values"
    status = terms[0].status
    how = f"{status}, {spec.train}" if status == "trained" else status
    return f"{name}: {spec.kind} {what} ({how}; {count})"


def _factor(program: Program, variable: Variable, model: str | None) -> str:
    given = _given(program, variable)
    event = f"{variable.name} | {given}" if given else variable.name
    return f"log p({event})" if model is None else f"log p_{model}({event})"


def _given(program: Program, variable: Variable) -> str:
    """The parents; a whole group stands as `draft[*]`."""
    owner = {name: node for node, names in program.groups.items() for name in names}
    shown: list[str] = []
    for node, run in groupby(variable.parents, key=lambda name: owner.get(name, "")):
        names = tuple(run)
        whole = bool(node) and names == program.groups[node] and len(names) > 1
        shown += [f"{node}[*]"] if whole else names
    return ", ".join(shown)


def _factorization(program: Program) -> list[str]:
    variables = {variable.name: variable for variable in program.variables}
    counted = [term for term in program.terms if term.status != "deterministic"]
    factors = [_factor(program, variables[term.variable], term.model) for term in counted]
    return _aligned("log p(s | x) = ", "+ ", factors)


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
