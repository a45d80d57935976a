"""The loss as LaTeX: margin, loss, and what stands for a diffusion model's log-ratio."""

from collections.abc import Iterator, Sequence

from ..program import Program
from .bounds import bounds
from .latex_symbols import text


def loss(program: Program) -> Iterator[str]:
    """Rows of an `align*`; none where nothing trains."""
    if not any(t.status == "trained" and not t.cancels for t in program.terms):
        return
    fit, s = program.fit, "z" if program.objective.latent else "s"
    alone = fit.credit == "node"
    delta = "\\Delta_v" if alone else "\\Delta"
    yield f"{delta} &= {_ratio(program, s, 'w')} - {_ratio(program, s, 'l')}"
    smooth = f"{fit.label_smoothing:g}"
    one = {
        "sigmoid": f"-\\log \\sigma(\\beta {delta})",
        "ipo": f"\\Bigl( {delta} - \\frac{{1}}{{2 \\beta}} \\Bigr)^2",
        "hinge": f"\\max(0, 1 - \\beta {delta})",
    }[fit.loss]
    if fit.label_smoothing:
        one = f"(1 - {smooth}) \\, {one[1:]} + {smooth} \\log \\sigma(-\\beta {delta})"
        one = f"-\\bigl[ {one} \\bigr]"
    data = f"(x, {s}^w, {s}^l) \\sim \\mathcal{{D}}"
    body = (
        ("\\sum_{v} " if alone else "") + one + (f" - {_anchor(program, s)}" if fit.anchor else "")
    )
    expectation = f"\\mathbb{{E}}_{{{data}}} \\Bigl[ {body} \\Bigr]"
    yield f"\\mathcal{{L}}(\\theta) &= {expectation}, \\quad \\beta = {fit.beta:g}"
    yield from _bounds(program)


def _ratio(program: Program, s: str, side: str) -> str:
    value, given = s, "x"
    event = f"{value}^{side} \\mid {given}"
    if program.fit.credit == "node":
        value = "v"
        event = f"v^{side} \\mid \\mathrm{{pa}}(v)^{side}"
    over = f"\\log \\frac{{p_\\theta({event})}}{{p_{{\\mathrm{{ref}}}}({event})}}"
    return f"\\frac{{1}}{{|{value}^{side}|}} {over}" if program.fit.loss == "ipo" else over


def _anchor(program: Program, s: str) -> str:
    """The chosen side's negative log-likelihood, of what has one."""
    value = f"{s}^w"
    if found := [name for several in bounds(program).values() for name in several]:
        value += f" \\setminus \\{{{', '.join(_nodes(program, found))}\\}}"
    return f"\\frac{{{program.fit.anchor:g}}}{{|{s}^w|}} \\log p_\\theta({value} \\mid x)"


def _nodes(program: Program, variables: Sequence[str]) -> list[str]:
    """The nodes of these variables, each once."""
    names = set(variables)
    return list(dict.fromkeys(text(v.node) for v in program.variables if v.name in names))


def _bounds(program: Program) -> Iterator[str]:
    """Appendix D: a diffusion model's log-ratio as a difference of denoising losses."""
    ratio = "\\log \\frac{p_\\theta}{p_{\\mathrm{ref}}}"
    noise = "\\mathbb{E}_{\\tau, \\epsilon}"
    error = "\\lVert \\epsilon - \\epsilon_m(z_\\tau, \\tau, c) \\rVert_2^2"
    for bound, names in bounds(program).items():
        scale = "T" if bound.scale is None else f"{bound.scale:g}"
        difference = f"\\bigl[ {scale} (-\\ell_\\theta + \\ell_{{\\mathrm{{ref}}}}) \\bigr]"
        nodes = ", ".join(_nodes(program, names))
        yield f"{ratio}({nodes} \\mid \\cdot) &\\leftarrow {noise} {difference}"
        weight = "w_\\tau " if bound.weighting == "ddpm" else ""
        mean = "\\tfrac{1}{\\dim z} " if bound.reducing == "mean" else ""
        yield f"\\ell_m &= {weight}{mean}{error}, \\quad m \\in \\{{\\theta, \\mathrm{{ref}}\\}}"
