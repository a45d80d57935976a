"""The objective, and what of it is computed when, as text."""

from collections.abc import Sequence
from typing import Literal

from sysgraph_schemas.fit import Fit
from sysgraph_schemas.losses import LOSSES, Argument
from sysgraph_schemas.models.base import Bound
from sysgraph_schemas.samplers import SAMPLERS

from ..planning import Plan
from ..program import Call, Program
from .bounds import bounds
from .words import Words, counted, indent, total

_SYMBOLS: dict[Argument, tuple[str, ...]] = {
    "margin": ("m = beta * [ {chosen} - {rejected} ]",),
    "margin_per_token": (
        "m_token = beta * [ {chosen} / tokens - {rejected} / tokens ], each side's own number",
    ),
    "sides": ("w = beta * {chosen}", "l = beta * {rejected}"),
    "likelihood": ("nll = negative log-likelihood of {what}, per token of a batch",),
}
"""What the symbols of a loss of each kind stand for."""


def objective(program: Program, words: Words) -> list[str]:
    """What is minimized; with unobserved values, the sum over them."""
    plan = program.plan
    trained = [program.term(name) for name, when in plan.policy.items() if when == "every step"]
    if not program.terms:
        return []  # a program after an early pass
    if not trained:
        return ["nothing is trained"]
    fit = program.fit
    lines = _likelihood(program, words)
    data = "z" if plan.latent else "s"
    what = "chosen, bounds left out" if any(t.bound for t in trained) else "chosen"
    ratios = [f"log p/p_ref ({data}_{side} | x)" for side in ("chosen", "rejected")]
    first = len(lines)
    for kind, symbols in _SYMBOLS.items():
        if any(LOSSES[name].of == kind for name in fit.losses):
            said = {"chosen": ratios[0], "rejected": ratios[1], "what": what}
            lines += [symbol.format(**said) for symbol in symbols]
    lines[first] += f", beta = {fit.beta:g}, over {counted(len(trained), 'trained term')}"
    lines += _loss(fit)
    if fit.anchor:
        lines.append(f"     + {fit.anchor:g} * negative log-likelihood per token of {what}")
    if fit.reference is not None:
        mix, every = fit.reference.mix, counted(fit.reference.every, "step")
        lines += [
            f"p_ref follows: ref <- {mix:g} * policy + {1 - mix:g} * ref every {every}, in weights",
        ]
    return lines + _existence(program) + _bounds(program, words)


def _loss(fit: Fit) -> list[str]:
    """The losses with their weights, each on a line of its own, and the settings they read."""
    per = "one loss per node, summed" if fit.credit == "node" else "one loss for the system"
    readings = {name: LOSSES[name].reading(fit.label_smoothing).text for name in fit.losses}
    if isinstance(fit.loss, dict):
        parts = [f"{weight:g} * ( {readings[name]} )" for name, weight in fit.loss.items()]
    else:
        parts = [readings[fit.loss]]
    lines = [f"loss = {parts[0]}", *(f"     + {part}" for part in parts[1:])]
    lines[-1] += f", {per}"
    settings = {"eps": fit.label_smoothing, "tau": fit.discopop_tau, "lambda": fit.dpop_lambda}
    said = " ".join(readings.values())
    return lines + [f"       {name} = {x:g}" for name, x in settings.items() if name in said]


def _existence(program: Program) -> list[str]:
    if not any(term.gated for term in program.terms):
        return []
    return ["[...] is 1 where it holds; elsewhere the variable does not exist and has no term"]


def _bounds(program: Program, words: Words) -> list[str]:
    """What stands for log p/p_ref of a diffusion model (SysDPO, appendix D)."""
    return [
        line
        for bound, names in bounds(program).items()
        for given, alike in _by_condition(program, names).items()
        for line in _bound(bound, given, words.listed(alike))
    ]


def _by_condition(program: Program, names: list[str]) -> dict[str, list[str]]:
    """Images by what their model is given: a caption, or of those that edit a picture too."""
    found: dict[str, list[str]] = {}
    for name in names:
        shown = program.variable(name).reads
        edits = any(program.variable(parent).type == "image" for parent in shown)
        found.setdefault("picture, instruction" if edits else "caption", []).append(name)
    return found


def _bound(bound: Bound, given: str, listed: str) -> list[str]:
    scale = "T" if bound.scale is None else f"{bound.scale:g}"
    t = "t" if bound.sigmas is None else "sigma"
    draws = f", mean of {bound.draws} draws of ({t}, eps)" if bound.draws > 1 else ""
    what = "a bound" if bound.is_bound else "what bounds no log p"
    return [
        f"log p/p_ref of {listed} is replaced by {what}:",
        f"   {scale} * [ -l(model) + l(ref) ], {_error(bound, given)}{draws},",
        *_flow(bound),
        f"   with the same {t} and eps for model and reference, and each side's own "
        + given.replace(", ", " and "),
    ]


def _error(bound: Bound, given: str) -> str:
    """The error of one draw of an image, given what its prompt has in it."""
    if bound.sigmas is None:
        weight = "w_t * " if bound.weighting == "ddpm" else ""
        return f"l = {weight}{bound.reducing} of (eps - eps_model(z_t, t, {given}))^2"
    weight = "(1 - sigma) / sigma * " if bound.weighting == "ddpm" else ""
    return f"l = {weight}{bound.reducing} of (v - v_model(z_sigma, sigma, {given}))^2"


def _flow(bound: Bound) -> list[str]:
    """What stands for what in the error of a flow."""
    if bound.sigmas is None:
        return []
    drawn = {
        "uniform": "sigma uniform in (0, 1)",
        "logit_normal": "sigma = sigmoid of a standard normal number",
    }
    lines = [f"   z_sigma = (1 - sigma) z + sigma eps, v = eps - z, {drawn[bound.sigmas]},"]
    if bound.is_bound:
        lines.append("   a bound of the process with the flow's marginals and Gaussian steps,")
    return lines


def _likelihood(program: Program, words: Words) -> list[str]:
    plan = program.plan
    if not plan.latent:
        return ["SysDPO-Direct: every generated value is observed"]
    inside = [program.term(name) for name in plan.inside]
    observed = {*plan.observed}
    outside = [program.term(name) for name in plan.outside if name in observed]
    weighted = program.fit.sampling.estimator == "importance"
    opened = "logmeanexp_a [ " if weighted else "logsumexp_a [ "
    sum_of = total(opened, [words.gated_factor(term) for term in inside])
    sum_of[-1] += " - log q(a) ]" if weighted else " ]"
    body = [*[[words.gated_factor(term)] for term in outside], sum_of]
    head = "log p(z | x) = "
    lines = [head + body[0][0], *(" " * len(head) + line for line in body[0][1:])]
    for part in body[1:]:
        lines.append(" " * (len(head) - 2) + "+ " + part[0])
        lines += [" " * len(head) + line for line in part[1:]]
    return [
        f"SysDPO-Sampling: summed over {words.listed(plan.latent)}, which data lacks",
        *lines,
        *_draws(program, words.listed(plan.latent)),
    ]


def _draws(program: Program, latent: str) -> list[str]:
    """Over what the sum goes, and when it is drawn (`fit.sampling`)."""
    sampling = program.fit.sampling
    sampler = SAMPLERS[sampling.sampler]
    by = sampler.text.format(penalty=sampling.diversity_penalty, draws=sampling.draws)
    steps = "step" if sampling.redraw_every == 1 else f"{sampling.redraw_every} steps"
    when = f"from the current policy given x, redrawn every {steps}"
    if program.plan.draws == "once":
        per = "round" if program.fit.rounds > 1 else "set of pairs"
        when = f"from frozen models given x, once per {per}"
        when += f", selected every {steps}" if sampler.keeps else ""
    weighted = sampling.estimator == "importance"
    what = "independent" if weighted else "distinct"
    return [
        f"a: {sampling.k} {what} joint trajectories of {latent}, {by};",
        f"   {when};",
        "   the same ones for chosen and rejected, for log p and log p_ref",
        *(["q: the probability with which a was drawn, held constant"] if weighted else []),
    ]


def cost(program: Program, words: Words) -> list[str]:
    """When log p and log p_ref are computed, which requests share a call, what is left out."""
    plan = program.plan
    if "every step" not in plan.policy.values():
        return []
    rounds, moving = program.fit.rounds > 1, program.fit.reference
    per = "round" if rounds else "set of pairs"
    per = "draw of a" if plan.latent else per
    per_reference = f"{moving.every} steps" if moving and not plan.latent else per
    lines = _calls("log p", "every step", _due(plan, "policy", "every step"), words)
    lines += _calls("log p", f"once per {per}", _due(plan, "policy", "once"), words)
    lines += _calls("log p_ref", "every step", _due(plan, "reference", "every step"), words)
    lines += _calls(
        "log p_ref", f"once per {per_reference}", _due(plan, "reference", "once"), words
    )
    shared = any(len(call.models) > 1 for call in plan.calls if call.side == "reference")
    if shared and (rounds or moving):
        start = "" if moving else "from round 2 on "
        lines += indent([f"({start}one call a model: each has its own snapshot)"])
    for resident in program.residents:
        if len(resident.models) > 1:
            place = resident.device and f"on {resident.device}"
            said = [resident.attn_implementation, resident.load_in, place]
            how = f" ({', '.join(filter(None, said))})" if any(said) else ""
            users = f"{resident.id}{how} for {words.listed(resident.models)}"
            lines.append(f"one base in memory: {users}")
    if same := [v for v in plan.policy if program.has_same_prompt(v)]:
        lines.append(f"one prompt for chosen and rejected: {words.listed(same)}")
    if left_out := [v for v in program.likely if v not in plan.policy]:
        lines.append(f"never: {words.listed(left_out)} ({_reason(program, left_out)})")
    lines.append("equal requests are scored once")
    if plan.cancelling and not plan.latent:
        lines.append("a term cancels on a pair whose sides agree on its value and prompt")
    return lines


def _due(plan: Plan, side: Literal["policy", "reference"], when: str) -> list[Call]:
    cadences = plan.policy if side == "policy" else plan.reference
    due = {name for name, cadence in cadences.items() if cadence == when}
    return [call for call in plan.calls if call.side == side and not due.isdisjoint(call.terms)]


def _calls(what: str, when: str, calls: Sequence[Call], words: Words) -> list[str]:
    if not calls:
        return []
    lines = [f"{what}, {when}: {counted(len(calls), 'call')}"]
    for call in calls[:20]:
        lines.append(f"  {words.listed(call.models)}: {words.listed(call.terms)}")
    return lines + ([f"  ... ({len(calls) - 20} more)"] if len(calls) > 20 else [])


def _reason(program: Program, left_out: Sequence[str]) -> str:
    outside = {*left_out}.isdisjoint(program.plan.inside)
    if outside and all(program.term(name).status == "frozen" for name in left_out):
        return "frozen: log p - log p_ref = 0"
    return "log p and log p_ref are equal"
