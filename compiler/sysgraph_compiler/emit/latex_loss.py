"""The loss as LaTeX: margin, loss, and what stands for a diffusion model's log-ratio."""

from collections.abc import Iterator, Sequence

from sysgraph_schemas.fit import Fit
from sysgraph_schemas.losses import LOSSES, Argument
from sysgraph_schemas.models.base import Bound

from ..program import Program
from .bounds import bounds
from .latex_symbols import text


def loss(program: Program) -> Iterator[str]:
    """Rows of an `align*`; none where nothing trains."""
    plan = program.plan
    if "every step" not in plan.policy.values():
        return
    fit, s = program.fit, "z" if plan.latent else "s"
    alone = fit.credit == "node"
    kinds = {LOSSES[name].of for name in fit.losses}
    symbols = [row for kind, row in _symbols(program, s) if kind in kinds]
    yield from (_alone(row) if alone else row for row in symbols)
    one = _alone(_weighted(fit)) if alone else _weighted(fit)
    body = f"\\sum_{{v}} {one}" if alone else one
    body += f" - {_anchor(program, s)}" if fit.anchor else ""
    data = f"(x, {s}^w, {s}^l) \\sim \\mathcal{{D}}"
    expectation = f"\\mathbb{{E}}_{{{data}}} \\Bigl[ {body} \\Bigr]"
    settings = {
        "\\beta": fit.beta,
        "\\varepsilon": fit.label_smoothing,
        "\\kappa": fit.discopop_tau,
        "\\lambda": fit.dpop_lambda,
    }
    values = [f"{symbol} = {x:g}" for symbol, x in settings.items() if symbol in one]
    yield "\\mathcal{L}(\\theta) &= " + ", \\quad ".join([expectation, *values])
    if fit.reference is not None:
        mix, every = fit.reference.mix, fit.reference.every
        moved = f"{mix:g} \\, \\theta + {1 - mix:g} \\, \\theta_{{\\mathrm{{ref}}}}"
        when = f"\\quad \\text{{every {every} steps}}"
        yield f"\\theta_{{\\mathrm{{ref}}}} &\\leftarrow {moved} {when}"
    yield from _bounds(program)


def _weighted(fit: Fit) -> str:
    """The loss, or the sum of several, in the symbols of `sysgraph_schemas.losses`."""
    readings = {name: LOSSES[name].reading(fit.label_smoothing).latex for name in fit.losses}
    if not isinstance(fit.loss, dict):
        return readings[fit.loss]
    parts = [f"{weight:g} \\bigl( {readings[name]} \\bigr)" for name, weight in fit.loss.items()]
    return " + ".join(parts)


def _alone(latex: str) -> str:
    """With the symbols of a single node's loss."""
    for symbol in ("\\Delta", "\\rho", "\\nu"):
        latex = latex.replace(symbol, f"{symbol}_v")
    return latex


def _symbols(program: Program, s: str) -> Iterator[tuple[Argument, str]]:
    """What the symbols of each kind of loss stand for."""
    chosen, rejected = (_ratio(program, s, side) for side in "wl")
    value = "v" if program.fit.credit == "node" else s
    per = [f"\\frac{{1}}{{|{value}^{side}|}}" for side in "wl"]
    yield "margin", f"\\Delta &= {chosen} - {rejected}"
    yield "margin_per_token", f"\\bar\\Delta &= {per[0]} {chosen} - {per[1]} {rejected}"
    yield "sides", f"\\rho^w &= {chosen}"
    yield "sides", f"\\rho^l &= {rejected}"
    mean = f"\\mathbb{{E}}_{{\\mathcal{{D}}}} |{value}^w|"
    likelihood = f"\\log p_\\theta({_event(program, s, 'w', exact=True)})"
    yield "likelihood", f"\\nu &= -\\frac{{1}}{{{mean}}} {likelihood}"


def _ratio(program: Program, s: str, side: str) -> str:
    event = _event(program, s, side)
    return f"\\log \\frac{{p_\\theta({event})}}{{p_{{\\mathrm{{ref}}}}({event})}}"


def _event(program: Program, s: str, side: str, *, exact: bool = False) -> str:
    """A side given its inputs; `exact`: of what has a likelihood, and no bound."""
    if program.fit.credit == "node":
        return f"v^{side} \\mid \\mathrm{{pa}}(v)^{side}"
    return f"{_exact(program, s) if exact else f'{s}^{side}'} \\mid x"


def _anchor(program: Program, s: str) -> str:
    """The chosen side's negative log-likelihood, of what has one."""
    return (
        f"\\frac{{{program.fit.anchor:g}}}{{|{s}^w|}} \\log p_\\theta({_exact(program, s)} \\mid x)"
    )


def _exact(program: Program, s: str) -> str:
    """The chosen side without what has but a bound."""
    value = f"{s}^w"
    if found := [name for several in bounds(program).values() for name in several]:
        value += f" \\setminus \\{{{', '.join(_nodes(program, found))}\\}}"
    return value


def _nodes(program: Program, variables: Sequence[str]) -> list[str]:
    """The nodes of these variables, each once."""
    names = set(variables)
    return list(dict.fromkeys(text(v.node) for v in program.variables if v.name in names))


def _bounds(program: Program) -> Iterator[str]:
    """Appendix D: a diffusion model's log-ratio as a difference of denoising losses."""
    ratio = "\\log \\frac{p_\\theta}{p_{\\mathrm{ref}}}"
    for bound, names in bounds(program).items():
        time = "\\tau" if bound.sigmas is None else "\\sigma"
        noise = f"\\mathbb{{E}}_{{{time}, \\epsilon}}"
        scale = "T" if bound.scale is None else f"{bound.scale:g}"
        difference = f"\\bigl[ {scale} (-\\ell_\\theta + \\ell_{{\\mathrm{{ref}}}}) \\bigr]"
        nodes = ", ".join(_nodes(program, names))
        yield f"{ratio}({nodes} \\mid \\cdot) &\\leftarrow {noise} {difference}"
        yield f"\\ell_m &= {_error(bound)}, \\quad m \\in \\{{\\theta, \\mathrm{{ref}}\\}}"
        yield from _flow(bound)


def _error(bound: Bound) -> str:
    """One draw's."""
    mean = "\\tfrac{1}{\\dim z} " if bound.reducing == "mean" else ""
    if bound.sigmas is None:
        weight = "w_\\tau " if bound.weighting == "ddpm" else ""
        error = "\\lVert \\epsilon - \\epsilon_m(z_\\tau, \\tau, c) \\rVert_2^2"
    else:
        weight = "\\tfrac{1 - \\sigma}{\\sigma} " if bound.weighting == "ddpm" else ""
        error = "\\lVert (\\epsilon - z) - v_m(z_\\sigma, \\sigma, c) \\rVert_2^2"
    return f"{weight}{mean}{error}"


def _flow(bound: Bound) -> Iterator[str]:
    """The path of a flow, how its time is drawn, and whether its term bounds anything."""
    if bound.sigmas is None:
        return
    drawn = {
        "uniform": "\\sigma \\sim \\mathcal{U}(0, 1)",
        "logit_normal": "\\operatorname{logit} \\sigma \\sim \\mathcal{N}(0, 1)",
    }
    path = "(1 - \\sigma) z + \\sigma \\epsilon"
    said = "" if bound.is_bound else " \\quad \\text{(bounds no log-likelihood)}"
    yield f"z_\\sigma &= {path}, \\quad {drawn[bound.sigmas]}{said}"
