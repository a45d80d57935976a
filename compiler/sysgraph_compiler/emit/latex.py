r"""`compile --emit latex`: the factorization and the loss as a paper has them.

A snippet for a document with `\usepackage{amsmath, amssymb}`. A short group stands copy by copy, a
longer one as a sum over its copies, elements of a list as a sum over the list, a loop as a sum over
its turns; a group's name without an index means all of its copies.
"""

from collections.abc import Iterator, Sequence
from itertools import groupby

from sysgraph_schemas.visible import visible

from ..program import Program
from .latex_loss import loss
from .latex_symbols import Symbols, text
from .latex_terms import Terms, bracketed


def emit_latex(program: Program) -> str:
    """An `align*` environment: inputs and values, log p, the margin and the loss."""
    symbols = Symbols(program)
    terms = Terms(program, symbols)
    rows = [*_names(program, symbols, terms), *_likelihood(program, terms), *loss(program)]
    body = " \\\\\n".join(f"  {row}" for row in rows)
    title = visible(" ".join(program.name.split()))
    head = f"% {title}: \\usepackage{{amsmath, amssymb}}\n"
    return f"{head}\\begin{{align*}}\n{body}\n\\end{{align*}}\n"


# --- names ---------------------------------------------------------------------------------------


def _names(program: Program, symbols: Symbols, terms: Terms) -> Iterator[str]:
    inputs = [v.name for v in program.variables if v.is_given]
    likely = [t.variable for t in program.terms if t.model]
    values = [name for name in likely if name not in symbols.latent]
    letter = "z" if symbols.latent else "s"
    yield f"x &= ({symbols.listed(inputs)})"
    yield f"{letter} &= ({_listed(symbols, terms, values)})"
    if symbols.latent:
        latent = [name for name in likely if name in symbols.latent]
        yield f"y^{{(a)}} &= ({_listed(symbols, terms, latent)}), \\quad a = 1, \\dots, k"
    if carried := _carried(program, symbols, terms):
        yield f"{' = '.join(f'{text(node)}_{{0}}' for node in carried)} &= \\varnothing"


def _listed(symbols: Symbols, terms: Terms, names: Sequence[str]) -> str:
    """The variables; of a loop that stands as a sum, all turns of a node as one."""
    shown: list[str] = []
    for node, run in groupby(names, key=lambda name: symbols.variable(name).node):
        some = list(run)
        turn = symbols.variable(some[0]).turn
        if turn is None or turn.loop not in terms.rolled:
            shown.append(symbols.listed(some))
        elif turn.number == 1:
            trajectory = "^{(a)}" if some[0] in symbols.latent else ""
            shown.append(f"{text(node)}_{{1:{symbols.turns[turn.loop]}}}{trajectory}")
    return ", ".join(shown)


def _carried(program: Program, symbols: Symbols, terms: Terms) -> list[str]:
    """The nodes that the first turn of such a loop knows nothing of yet."""
    found: dict[str, None] = {}
    for variable in program.variables:
        if variable.turn is None or variable.turn.loop not in terms.rolled:
            continue
        for parent in variable.parents:
            turn = symbols.variable(parent).turn
            if turn and turn.loop == variable.turn.loop and turn.number < variable.turn.number:
                found[symbols.variable(parent).node] = None
    return list(found)


# --- log p ---------------------------------------------------------------------------------------


def _likelihood(program: Program, terms: Terms) -> Iterator[str]:
    likely = [t for t in program.terms if t.model]
    plan = program.plan
    if not plan.latent:
        yield from _total("\\log p_\\theta(s \\mid x)", list(terms.sums(likely)))
        return
    kept = {*plan.latent, *plan.observed}
    likely = [t for t in likely if t.variable in kept]
    in_sum = {*plan.inside}
    outside = list(terms.sums([t for t in likely if t.variable not in in_sum]))
    inside = list(terms.sums([t for t in likely if t.variable in in_sum]))
    if program.fit.sampling.estimator == "importance":
        inside[-1] += " - \\log q(y^{(a)})"
        opened = bracketed("\\log \\frac{1}{k} \\sum_{a=1}^{k} \\exp ", inside)
    else:
        opened = bracketed("\\log \\sum_{a=1}^{k} \\exp ", inside)
    yield from _total("\\log p_\\theta(z \\mid x)", [*outside, *opened])


def _total(head: str, parts: Sequence[str]) -> Iterator[str]:
    yield f"{head} &= {parts[0] if parts else '0'}"
    yield from (f"&\\quad + {part}" for part in parts[1:])
