r"""Terms as LaTeX: a short group copy by copy, a longer one and a loop as a sum."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby

from ..program import Program, Term
from .conditions import given, reads
from .latex_symbols import HERE, At, Symbols, listed_bindings, text

_EXPLICIT = 3
"""Copies of a node that stand one by one."""
_UNROLLED = 4
"""Terms of a loop that stand one by one."""
_LISTED = 6
"""Items under a sum before they are cut."""


class Terms:
    """Writes sequences of a program's terms."""

    def __init__(self, program: Program, symbols: Symbols) -> None:
        self._symbols, self._variable = symbols, symbols.variable
        self._plan = program.plan
        likely = [term for term in program.terms if term.model]
        self._loops: dict[str, dict[int, list[Term]]] = {}
        for term in likely:
            turn = self._variable(term.variable).turn
            if turn is not None:
                turns = self._loops.setdefault(turn.loop, {})
                turns.setdefault(turn.number, []).append(term)
        self.rolled = frozenset(loop for loop in self._loops if self._is_rolled(loop))
        """The loops that stand as one sum over their turns."""

    def sums(self, terms: Sequence[Term]) -> Iterator[str]:
        """The parts of the terms' sum, in order; a loop stands where its first term would."""
        written: set[str] = set()
        wanted = frozenset(term.variable for term in terms)
        for node, run in groupby(terms, key=lambda term: self._variable(term.variable).node):
            some = list(run)
            turn = self._variable(some[0].variable).turn
            if turn is None or turn.loop not in self.rolled:
                yield from self._copies(node, some)
            elif turn.loop not in written:
                written.add(turn.loop)
                yield from self._rolled(turn.loop, wanted)

    # --- loops ---------------------------------------------------------------------------------

    def _rolled(self, loop: str, wanted: frozenset[str]) -> Iterator[str]:
        """One sum over the turns, of the nodes whose terms are wanted."""
        turns = self._symbols.turns[loop]
        last = [t for t in self._loops[loop].get(turns, []) if t.variable in wanted]
        body = [
            part
            for node, run in groupby(last, key=self._node)
            for part in self._copies(node, list(run), At(loop=loop, turn=turns))
        ]
        yield from bracketed(f"\\sum_{{t=1}}^{{{turns}}} ", body)

    def _node(self, term: Term) -> str:
        return self._variable(term.variable).node

    def _is_rolled(self, loop: str) -> bool:
        """Whether it is long, and each turn says the same of the turn before."""
        last = self._symbols.turns[loop]
        if sum(map(len, self._loops[loop].values())) <= _UNROLLED or last < 2:
            return False
        return len({self._shown(loop, number) for number in range(2, last + 1)}) == 1 and (
            self._shown(loop, 1, alone=True) == self._shown(loop, last, alone=True)
        )

    def _shown(self, loop: str, number: int, alone: bool = False) -> tuple[object, ...]:
        """What a turn says; `alone`: but for the turn before, which the first one lacks."""
        at = At(loop=loop, turn=number)
        shown: list[object] = []
        for term in self._loops[loop].get(number, []):
            factor = self._symbols.symbol(term.variable, at) if alone else self._factor(term, at)
            shown += [factor, term.model, term.status]
            shown += [term.variable in of for of in (self._plan.inside, self._plan.policy)]
            shown.append(self._symbols.indicator(term.variable, at))
        return tuple(shown)

    # --- copies --------------------------------------------------------------------------------

    def _copies(self, node: str, terms: Sequence[Term], at: At = HERE) -> Iterator[str]:
        """The factors of a node's copies."""
        for _, run in groupby(terms, key=lambda term: self._symbols.beside(term.variable)):
            some = list(run)
            first = self._variable(some[0].variable)
            long = len(some) > (1 if first.elements else _EXPLICIT)
            summed = self._summed(some, at) if long else None
            yield from [summed] if summed else [self._factor(term, at) for term in some]

    def _summed(self, terms: Sequence[Term], at: At) -> str | None:
        """One sum over the copies, if one says them all."""
        first = self._variable(terms[0].variable)
        if [term.variable for term in terms] != list(self._symbols.beside(first.name)):
            return None
        keys = [*listed_bindings(first), *first.elements]
        names = ["i"] if len(keys) == 1 else [f"i_{{{n}}}" for n in range(1, len(keys) + 1)]
        indices = dict(zip(keys, names, strict=True))
        inside = replace(at, indices=indices)
        key = self._naming_key(terms)
        model = indices[key] if key is not None and len({t.model for t in terms}) > 1 else None
        factors = {self._factor(term, inside, model) for term in terms}
        if len(factors) > 1:
            return None
        return "".join(self._ranges(terms, indices)) + factors.pop()

    def _naming_key(self, terms: Sequence[Term]) -> str | None:
        """The `for_each` key whose items are the models' names."""
        copies = [(term, listed_bindings(self._variable(term.variable))) for term in terms]
        for key in copies[0][1]:
            if all(bindings[key] == term.model for term, bindings in copies):
                return key
        return None

    def _ranges(self, terms: Sequence[Term], indices: dict[str, str]) -> Iterator[str]:
        first = self._variable(terms[0].variable)
        for key, index in indices.items():
            if key in first.elements:
                of = self._symbols.symbol(first.elements[key].list)
                yield f"\\sum_{{{index}=1}}^{{|{of}|}} "
                continue
            variables = [self._variable(term.variable) for term in terms]
            names = [text(item) for item in dict.fromkeys(str(v.bindings[key]) for v in variables)]
            if len(names) > _LISTED:
                names = [*names[:2], "\\dots", names[-1]]
            yield f"\\sum_{{{index} \\in \\{{{', '.join(names)}\\}}}} "

    # --- one factor ----------------------------------------------------------------------------

    def _factor(self, term: Term, at: At, model: str | None = None) -> str:
        r"""`\log p_{\theta_{\text{ada}}}(\text{draft} \mid \text{question})`."""
        indicator = self._symbols.indicator(term.variable, at)
        return f"{indicator}\\log p_{{{weights(term, model)}}}({self.event(term, at)})"

    def event(self, term: Term, at: At = HERE) -> str:
        """What it is the probability of, and given what."""
        variable = self._variable(term.variable)
        shown: list[str] = []
        lists = {element.list: key for key, element in variable.elements.items()}
        alone = {name for name in lists if not reads(variable, name)}
        parents = [name for name in given(variable) if name not in alone]
        if parents:
            shown.append(self._symbols.listed(parents, at))
        for name in alone:
            key = lists[name]
            index = at.indices.get(key, str(variable.elements[key].index))
            shown.append(f"{self._symbols.symbol(name, at)}_{{{index}}}")
        over = f" \\mid {', '.join(shown)}" if shown else ""
        return self._symbols.symbol(term.variable, at) + over


def weights(term: Term, model: str | None = None) -> str:
    """The parameters of a trained model, or a frozen model's name."""
    name = model or text(str(term.model))
    return f"\\theta_{{{name}}}" if term.status == "trained" else name


def bracketed(head: str, parts: Sequence[str]) -> list[str]:
    """`head` before all of the parts."""
    if len(parts) > 1:
        parts = [f"\\Bigl[ {parts[0]}", *parts[1:-1], f"{parts[-1]} \\Bigr]"]
    return [f"{head}{parts[0]}", *parts[1:]]
