r"""`compile --emit latex`: the factorization and the loss as a paper has them.

A snippet for a document with `\usepackage{amsmath, amssymb}`. A short group stands copy by copy, a
longer one as a sum over its copies; a group's name without an index means all of its copies.
"""

from collections.abc import Iterator, Sequence
from itertools import groupby

from ..program import Program, Term, Variable

_EXPLICIT = 3
_LISTED = 6
_ESCAPES = {
    "\\": r"\textbackslash{}",
    **{char: f"\\{char}" for char in "{}$&#_%"},
    **{"~": r"\textasciitilde{}", "^": r"\textasciicircum{}"},
    **{"<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}"},
}


def emit_latex(program: Program) -> str:
    """An `align*` environment: inputs and values, log p, the margin and the loss."""
    page = _Page(program)
    rows = [*page.names(), *page.likelihood(), *_loss(program)]
    body = " \\\\\n".join(f"  {row}" for row in rows)
    title = " ".join(program.name.split())
    head = f"% {title}: \\usepackage{{amsmath, amssymb}}\n"
    return f"{head}\\begin{{align*}}\n{body}\n\\end{{align*}}\n"


def escape(text: str) -> str:
    r"""The text as it stands in `\text{...}`."""
    return "".join(_ESCAPES.get(char, char) for char in text)


def _text(name: str) -> str:
    return f"\\text{{{escape(name)}}}"


class _Page:
    def __init__(self, program: Program) -> None:
        self.program = program
        self.variables = {variable.name: variable for variable in program.variables}
        self.latent = frozenset(program.objective.latent)
        self.letter = "z" if self.latent else "s"

    # --- names ---------------------------------------------------------------------------------

    def names(self) -> Iterator[str]:
        inputs = [v.name for v in self.program.variables if v.kind == "input"]
        likely = [t.variable for t in self.program.terms if t.model]
        values = [name for name in likely if name not in self.latent]
        yield f"x &= ({self.listed(inputs)})"
        yield f"{self.letter} &= ({self.listed(values)})"
        if self.latent:
            latent = [name for name in likely if name in self.latent]
            yield f"y^{{(a)}} &= ({self.listed(latent)}), \\quad a = 1, \\dots, k"

    def listed(self, names: Sequence[str]) -> str:
        shown: list[str] = []
        for node, run in groupby(names, key=lambda name: self.variables[name].node):
            some = tuple(run)
            mixed = 0 < len(self.latent.intersection(some)) < len(some)
            whole = some == self.program.groups.get(node) and not mixed
            shown += [self.group(node, some)] if whole else map(self.symbol, some)
        return ", ".join(shown)

    def group(self, node: str, copies: Sequence[str]) -> str:
        """All copies, by the node's name alone."""
        return _text(node) + ("^{(a)}" if self.latent.issuperset(copies) else "")

    def symbol(self, name: str, index: str | None = None) -> str:
        variable = self.variables[name]
        items = ",".join(str(item) for item in variable.bindings.values())
        below = index or (_text(items) if items else "")
        return (
            _text(variable.node)
            + (f"_{{{below}}}" if below else "")
            + ("^{(a)}" if name in self.latent else "")
        )

    # --- log p ---------------------------------------------------------------------------------

    def likelihood(self) -> Iterator[str]:
        terms = [t for t in self.program.terms if t.model]
        kept = self.latent.union(self.program.objective.observed)
        outside = [self.factor(run) for run in self.runs(terms) if not run[0].summed]
        if not self.latent:
            yield from _total("\\log p_\\theta(s \\mid x)", outside)
            return
        terms = [t for t in terms if t.variable in kept]
        outside = [self.factor(run) for run in self.runs(terms) if not run[0].summed]
        inside = [self.factor(run) for run in self.runs(terms) if run[0].summed]
        if len(inside) > 1:
            inside = [f"\\Bigl[ {inside[0]}", *inside[1:-1], f"{inside[-1]} \\Bigr]"]
        opened = [f"\\log \\sum_{{a=1}}^{{k}} \\exp {inside[0]}", *inside[1:]]
        yield from _total("\\log p_\\theta(z \\mid x)", [*outside, *opened])

    def runs(self, terms: Sequence[Term]) -> Iterator[list[Term]]:
        """The terms of a group together where one sum says them all; any other alone."""
        for node, run in groupby(terms, key=lambda term: self.variables[term.variable].node):
            some = list(run)
            if len(some) > _EXPLICIT and self.is_alike(node, some):
                yield some
            else:
                yield from ([term] for term in some)

    def is_alike(self, node: str, terms: Sequence[Term]) -> bool:
        whole = tuple(term.variable for term in terms) == self.program.groups.get(node)
        marks = {(t.status, t.summed, t.variable in self.latent) for t in terms}
        parents = {self.variables[t.variable].parents for t in terms}
        one = len({t.model for t in terms}) == 1
        named = one or self.naming_key(terms) is not None
        return whole and named and len(marks) == len(parents) == 1

    def naming_key(self, terms: Sequence[Term]) -> str | None:
        """The `for_each` key whose items are the models' names."""
        copies: list[tuple[Term, Variable]] = [(t, self.variables[t.variable]) for t in terms]
        for key in copies[0][1].bindings:
            if all(str(variable.bindings[key]) == term.model for term, variable in copies):
                return key
        return None

    def factor(self, terms: Sequence[Term]) -> str:
        term = terms[0]
        variable = self.variables[term.variable]
        given = self.listed(variable.parents)
        given = f" \\mid {given}" if given else ""
        model = _text(str(term.model))
        over, below = "", None
        if len(terms) > 1:
            indices = dict(zip(variable.bindings, self.indices(variable), strict=True))
            below = ",".join(indices.values())
            over = f"\\sum_{{{', '.join(self.ranges(terms, indices))}}} "
            key = self.naming_key(terms)
            model = indices[key] if key is not None and len({t.model for t in terms}) > 1 else model
        weights = f"\\theta_{{{model}}}" if term.status == "trained" else model
        return f"{over}\\log p_{{{weights}}}({self.symbol(term.variable, below)}{given})"

    def indices(self, variable: Variable) -> list[str]:
        count = len(variable.bindings)
        return ["i"] if count == 1 else [f"i_{{{n}}}" for n in range(1, count + 1)]

    def ranges(self, terms: Sequence[Term], indices: dict[str, str]) -> Iterator[str]:
        for key, index in indices.items():
            items = dict.fromkeys(str(self.variables[t.variable].bindings[key]) for t in terms)
            names = [_text(item) for item in items]
            if len(names) > _LISTED:
                names = [*names[:2], "\\dots", names[-1]]
            yield f"{index} \\in \\{{{', '.join(names)}\\}}"


def _total(head: str, parts: Sequence[str]) -> Iterator[str]:
    yield f"{head} &= {parts[0] if parts else '0'}"
    yield from (f"&\\quad + {part}" for part in parts[1:])


def _loss(program: Program) -> Iterator[str]:
    if not any(t.status == "trained" and not t.cancels for t in program.terms):
        return
    fit, s = program.fit, "z" if program.objective.latent else "s"
    value, given = (f"{s}", "x")
    total = ""
    if fit.credit == "node":
        value, given, total = "v", "\\mathrm{pa}(v)", "\\sum_{v} "

    def ratio(side: str) -> str:
        if fit.credit == "node":
            event = f"v^{side} \\mid \\mathrm{{pa}}(v)^{side}"
        else:
            event = f"{value}^{side} \\mid {given}"
        over = f"\\log \\frac{{p_\\theta({event})}}{{p_{{\\mathrm{{ref}}}}({event})}}"
        return f"\\frac{{1}}{{|{value}^{side}|}} {over}" if fit.loss == "ipo" else over

    yield f"\\Delta{'_v' if total else ''} &= {ratio('w')} - {ratio('l')}"
    delta = "\\Delta_v" if total else "\\Delta"
    smooth = f"{fit.label_smoothing:g}"
    loss = {
        "sigmoid": f"-\\log \\sigma(\\beta {delta})",
        "ipo": f"\\Bigl( {delta} - \\frac{{1}}{{2 \\beta}} \\Bigr)^2",
        "hinge": f"\\max(0, 1 - \\beta {delta})",
    }[fit.loss]
    if fit.label_smoothing:
        loss = f"(1 - {smooth}) \\, {loss[1:]} + {smooth} \\log \\sigma(-\\beta {delta})"
        loss = f"-\\bigl[ {loss} \\bigr]"
    anchor = f"\\frac{{{fit.anchor:g}}}{{|{s}^w|}} \\log p_\\theta({s}^w \\mid x)"
    data = f"(x, {s}^w, {s}^l) \\sim \\mathcal{{D}}"
    body = f"{total}{loss}" + (f" - {anchor}" if fit.anchor else "")
    expectation = f"\\mathbb{{E}}_{{{data}}} \\Bigl[ {body} \\Bigr]"
    yield f"\\mathcal{{L}}(\\theta) &= {expectation}, \\quad \\beta = {fit.beta:g}"
