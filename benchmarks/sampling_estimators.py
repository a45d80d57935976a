"""Bias and spread of the estimators of log p(z | x), against enumeration, as the draws grow.

    python benchmarks/sampling_estimators.py [--output DIR] [--systems 8] [--repetitions 500]

Random systems question -> draft -> revision -> answer of tables, 64 trajectories each, moved away
from their reference as training moves them. Per number of draws k, three errors: of log p(z | x);
of the margin that DPO sees, log p/p_ref (z_w | x) - log p/p_ref (z_l | x); and of the loss's
gradient by every logit, as a share of the exact gradient's length. Prints a table; writes
estimators.json and a picture of each error. Bands are one standard deviation over draws and
systems.
"""

import argparse
import itertools
import json
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor

import sysgraph
from sysgraph import Completion, Fit, Program, System, Trace
from sysgraph.objectives import marginal_log_prob, sampling_loss
from sysgraph.reports.charts import Series, line_chart
from sysgraph_compiler.drawing.raster import MissingExtraError, png

DRAFTS = [f"d{i}" for i in range(8)]
REVISIONS = [f"r{i}" for i in range(8)]
ANSWERS = ["chosen", "rejected", "other"]
PEAKED = 2.0
"""Standard deviation of the reference's logits: a few trajectories have most of the mass."""
MOVED = 0.7
"""Standard deviation of what the policy's logits add to them."""
KS = (1, 2, 4, 8, 16, 32, 64, 128)
FIT = Fit(beta=0.5)


@dataclass(frozen=True)
class Enumerated:
    """One system: log p of every trajectory, its prior and its Jacobian, float64."""

    policy: Tensor  # (2, A) log p(y_a, z | x), chosen and rejected
    reference: Tensor  # (2, A)
    prior: Tensor  # (A,) log p(y_a | x) of the policy
    jacobian: Tensor  # (2, A, P) of `policy` by all logits


@dataclass(frozen=True)
class Estimate:
    """What a pair's loss is given for each of R repetitions."""

    policy: Tensor  # (2, R, K)
    reference: Tensor  # (2, R, K)
    trajectory: Tensor  # (R, K) which trajectory each column is
    log_q: Tensor | None = None  # (R, K)
    draws: Tensor | None = None  # (R, K)


def random_program(seed: int) -> Program:
    generator = torch.Generator().manual_seed(seed)

    def table(values: list[str], contexts: list[str] | None = None) -> dict[str, object]:
        size = (len(contexts) if contexts else 1, len(values))
        logits = PEAKED * torch.randn(size, generator=generator, dtype=torch.float64)
        probs = logits.softmax(-1).tolist()
        seen = {"contexts": contexts} if contexts else {}
        return {"kind": "table", "values": values, "probs": probs, **seen}

    both = [f"{d}/{r}" for d, r in itertools.product(DRAFTS, REVISIONS)]
    graph = {
        "sysgraph": 1,
        "name": "estimators",
        "models": {
            "drafter": table(DRAFTS),
            "reviser": table(REVISIONS, DRAFTS),
            "writer": table(ANSWERS, both),
        },
        "nodes": {
            "question": {"kind": "input"},
            "draft": {"kind": "lm", "model": "drafter", "prompt": "{{ question }}"},
            "revision": {"kind": "lm", "model": "reviser", "prompt": "{{ draft }}"},
            "answer": {"kind": "lm", "model": "writer", "prompt": "{{ draft }}/{{ revision }}"},
        },
        "edges": ["question -> draft", "draft -> revision", "draft, revision -> answer"],
        "outputs": ["answer"],
    }
    return sysgraph.compile(sysgraph.load(json.dumps(graph)))


def enumerate_system(seed: int) -> Enumerated:
    program = random_program(seed)
    system = System(program, device="cpu")
    logits = [p for m in system.trained() for p in system.parameters(m).values()]
    generator = torch.Generator().manual_seed(seed + 1_000)
    with torch.no_grad():
        for p in logits:
            p.add_(MOVED * torch.randn(p.shape, generator=generator, dtype=torch.float64))
    values = itertools.product(ANSWERS[:2], DRAFTS, REVISIONS)
    traces = [
        Trace(
            {"question": "q"},
            {"draft": Completion(d), "revision": Completion(r), "answer": Completion(a)},
            program.outputs,
        )
        for a, d, r in values
    ]
    terms = {n: v.double().view(2, -1) for n, v in system.log_prob(traces).items()}
    before = system.log_prob(traces, reference=True)
    policy = torch.stack(list(terms.values())).sum(0)
    rows = [torch.autograd.grad(value, logits, retain_graph=True) for value in policy.view(-1)]
    jacobian = torch.stack([torch.cat([g.view(-1) for g in row]) for row in rows])
    return Enumerated(
        policy.detach(),
        torch.stack(list(before.values())).sum(0).double().view(2, -1),
        (terms["draft"] + terms["revision"])[0].detach(),
        jacobian.view(*policy.shape, -1),
    )


# ---- the estimators: drawn [R, k] trajectories -> what the loss is given


def counted(one: Enumerated, drawn: Tensor) -> Tensor:
    """How often each trajectory was drawn: [R, A]."""
    zeros = torch.zeros(len(drawn), len(one.prior), dtype=torch.long)
    return zeros.scatter_add(1, drawn, torch.ones_like(drawn))


def over_all(one: Enumerated, present: Tensor) -> Estimate:
    """Every trajectory has a column, -inf where it is not present. present: [R, A] bool."""
    never = torch.tensor(-math.inf, dtype=torch.float64)
    return Estimate(
        torch.where(present, one.policy[:, None], never),
        torch.where(present, one.reference[:, None], never),
        torch.arange(present.shape[1]).expand(present.shape),
    )


def set_sum(one: Enumerated, drawn: Tensor) -> Estimate:
    return over_all(one, counted(one, drawn) > 0)


def likeliest(one: Enumerated, drawn: Tensor) -> Estimate:
    k = min(drawn.shape[1], len(one.prior))
    best = one.prior.topk(k).indices.expand(len(drawn), k)
    return over_all(one, counted(one, best) > 0)


def importance(one: Enumerated, drawn: Tensor) -> Estimate:
    counts = counted(one, drawn)
    found = over_all(one, counts > 0)
    log_q = one.prior.expand(counts.shape)
    return Estimate(found.policy, found.reference, found.trajectory, log_q, counts)


def duplicates_kept(one: Enumerated, drawn: Tensor) -> Estimate:
    return Estimate(one.policy[:, drawn], one.reference[:, drawn], drawn)


ESTIMATORS: dict[str, Callable[[Enumerated, Tensor], Estimate]] = {
    "set_sum of the distinct draws": set_sum,
    "set_sum of the k likeliest": likeliest,
    "importance": importance,
    "plain sum, duplicates kept (wrong)": duplicates_kept,
}


# ---- their errors


def errors(one: Enumerated, estimate: Estimate) -> dict[str, Tensor]:
    """Of each repetition: [R] by name."""
    exact = over_all(one, torch.ones(1, len(one.prior), dtype=torch.bool))
    found, wanted = evaluated(one, estimate), evaluated(one, exact)
    gradient = (found[2] - wanted[2]).norm(dim=-1) / wanted[2].norm()
    return {
        "log_prob": (found[0] - wanted[0])[0],
        "margin": found[1] - wanted[1],
        "gradient": gradient,
    }


def evaluated(one: Enumerated, estimate: Estimate) -> tuple[Tensor, Tensor, Tensor]:
    """log p(z | x) [2, R], the margin [R] and the loss's gradient by all logits [R, P]."""
    policy = estimate.policy.clone().requires_grad_()
    how = estimate.log_q, estimate.draws
    after = marginal_log_prob(policy, *how)
    ratio = after - marginal_log_prob(estimate.reference, *how)
    tokens = torch.ones(2, policy.shape[1])
    loss = sampling_loss(policy, estimate.reference, tokens, FIT, *how)
    (slope,) = torch.autograd.grad(loss.sum(), policy)  # (2, R, K)
    by_trajectory = torch.zeros(2, policy.shape[1], len(one.prior), dtype=torch.float64)
    by_trajectory.scatter_add_(2, estimate.trajectory.expand(slope.shape), slope)
    gradient = torch.einsum("sra,sap->rp", by_trajectory, one.jacobian)
    return after.detach(), (ratio[0] - ratio[1]).detach(), gradient


@dataclass(frozen=True)
class Row:
    """The errors of one estimator with k draws: (mean, standard deviation) by name."""

    estimator: str
    k: int
    errors: dict[str, tuple[float, float]]


def measure(systems: int, repetitions: int) -> list[Row]:
    worlds = [enumerate_system(seed) for seed in range(systems)]
    generator = torch.Generator().manual_seed(0)
    rows = []
    for k in KS:
        drawn = [
            torch.multinomial(w.prior.exp().expand(repetitions, -1), k, True, generator=generator)
            for w in worlds
        ]
        for name, estimator in ESTIMATORS.items():
            found = [errors(w, estimator(w, d)) for w, d in zip(worlds, drawn, strict=True)]
            pooled = {what: torch.cat([f[what] for f in found]) for what in PICTURES}
            rows.append(
                Row(name, k, {n: (v.mean().item(), v.std().item()) for n, v in pooled.items()})
            )
    return rows


PICTURES = {
    "log_prob": ("Error of log p(z | x)", "estimate − exact, nats"),
    "margin": ("Error of the margin, log p/p_ref of chosen − rejected", "estimate − exact, nats"),
    "gradient": ("Error of the loss's gradient", "length of error / length of gradient"),
}


def picture(rows: list[Row], what: str) -> str:
    title, y_label = PICTURES[what]
    series = []
    for name in ESTIMATORS:
        of = [row.errors[what] for row in rows if row.estimator == name]
        mean = [m for m, _ in of]
        low, high = ([m + sign * std for m, std in of] for sign in (-1, 1))
        series.append(Series(name, KS, mean, low, high))
    return line_chart(series, title=title, x_label="draws k", y_label=y_label, log_x=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path("estimators"))
    parser.add_argument("--systems", type=int, default=8)
    parser.add_argument("--repetitions", type=int, default=500, help="sets of draws per system")
    options = parser.parse_args()
    rows = measure(options.systems, options.repetitions)
    print(f"{'estimator':36}{'k':>5}" + "".join(f"{what:>20}" for what in PICTURES))
    for row in rows:
        moments = (row.errors[what] for what in PICTURES)
        cells = "".join(f"{mean:>+11.3f} ± {std:<6.3f}" for mean, std in moments)
        print(f"{row.estimator:36}{row.k:>5}{cells}")
    options.output.mkdir(parents=True, exist_ok=True)
    settings = {"systems": options.systems, "repetitions": options.repetitions, "beta": FIT.beta}
    content = json.dumps({**settings, "rows": [asdict(row) for row in rows]}, indent=1)
    (options.output / "estimators.json").write_text(content, "utf-8")
    for what in PICTURES:
        svg = picture(rows, what)
        (options.output / f"{what}.svg").write_text(svg, "utf-8")
        try:
            (options.output / f"{what}.png").write_bytes(png(svg))
        except MissingExtraError as error:
            print(f"no PNG: {error}")


if __name__ == "__main__":
    main()
