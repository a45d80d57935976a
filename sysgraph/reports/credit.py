"""Which model learned what: each node's share of the system's margin, with intervals."""

import math
from collections.abc import Mapping, Sequence

import torch
from pydantic import BaseModel
from scipy.special import stdtrit
from torch import Tensor

from sysgraph_compiler import Program

from ..measuring.evaluation import Estimate
from .ledger import Ledger

_ALL = 0.9
"""Share of margin or gradient from which one model is said to take all."""
_NOTHING = 0.01
"""Share of the gradient below which a model is said to be isolated."""
_STILL = 1e-3
"""Mean |log p/p_ref|, nats, below which a model has not moved."""


class NodeCredit(BaseModel):
    """What a trained term adds to the margin, in units of beta times nats.

    `share`: of the system's mean margin; None where that is 0 within its interval. `moved`: mean
    |log p/p_ref| of the values in the pairs, nats; None where no pair has any. `bound`: it is a
    bound's share, as an image's is.
    """

    variable: str
    node: str
    model: str
    bound: bool
    margin: Estimate
    share: float | None
    moved: float | None


class ModelCredit(BaseModel):
    """What all nodes of a model add, and what is lost with it put back to its reference.

    `accuracy_lost`, `score_lost`: how far accuracy (on the pairs) and score (on held-out inputs)
    fall then. `gradient`: its share of the gradient's squared norm in training. None: not measured.
    """

    model: str
    margin: Estimate
    share: float | None
    accuracy_lost: Estimate
    score_lost: Estimate | None = None
    gradient: float | None = None


class Credit(BaseModel):
    """A set of pairs: the margin beta * (log-ratio chosen - log-ratio rejected), split exactly.

    Means over `pairs` with 95 % intervals over `inputs` (pairs of one input are no independent
    ones). `summed`: unobserved values were summed over. `accuracy`: how often the margin is
    positive; 0 counts half. `skipped`: pairs one of whose sides no drawn trajectory gives. `data`
    says which pairs these are. `warnings`: in words.
    """

    graph: str
    data: str
    pairs: int
    inputs: int
    skipped: int
    beta: float
    summed: bool
    margin: Estimate
    accuracy: Estimate
    score: Estimate | None = None
    nodes: list[NodeCredit]
    models: list[ModelCredit]
    warnings: list[str] = []


def credit(
    program: Program,
    found: Ledger,
    *,
    data: str,
    gradient: Mapping[str, float] | None = None,
    score: Estimate | None = None,
    score_lost: Mapping[str, Estimate] | None = None,
) -> Credit:
    """The means of a ledger.

    Args:
        data: which pairs it is of.
        gradient: each model's share of the gradient's squared norm.
        score: of held-out inputs.
        score_lost: by how much that falls with a model put back.
    """
    kept = _Kept(found)
    result = Credit(
        graph=program.name,
        data=data,
        pairs=len(kept.groups),
        inputs=len(set(kept.groups)),
        skipped=int((~found.usable).sum()),
        beta=program.fit.beta,
        summed=found.summed,
        margin=kept.margin,
        accuracy=kept.mean(_right(found.margins)),
        score=score,
        nodes=kept.nodes(program),
        models=kept.models(gradient or {}, score_lost or {}),
    )
    return result.model_copy(update={"warnings": warnings(result)})


class _Kept:
    """The usable pairs of a ledger: the system's mean margin over them, and who has it."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        usable = zip(ledger.groups, ledger.usable.tolist(), strict=True)
        self.groups = [group for group, is_usable in usable if is_usable]
        self.margin = self.mean(ledger.margins)

    def mean(self, values: Tensor) -> Estimate:
        """Of one number a pair, usable or not: [N]."""
        return clustered(values[self._ledger.usable], self.groups)

    def nodes(self, program: Program) -> list[NodeCredit]:
        """Each trained term's."""
        ledger, found = self._ledger, []
        bounds = {term.variable for term in program.terms if term.bound}
        for v, (variable, model) in enumerate(zip(ledger.variables, ledger.models, strict=True)):
            margin = self.mean(ledger.shares[:, v])
            moved = ledger.moved[ledger.usable, v].nanmean().item()
            found.append(
                NodeCredit(
                    variable=variable,
                    node=program.variable(variable).node,
                    model=model,
                    bound=variable in bounds,
                    margin=margin,
                    share=_share(margin, self.margin),
                    moved=moved if math.isfinite(moved) else None,
                )
            )
        return found

    def models(
        self, gradient: Mapping[str, float], score_lost: Mapping[str, Estimate]
    ) -> list[ModelCredit]:
        """Each trained model's; the arguments are `credit`'s."""
        ledger, found = self._ledger, []
        right = _right(ledger.margins)
        for model, without in ledger.without.items():
            margin = self.mean(ledger.shares[:, [m == model for m in ledger.models]].sum(-1))
            found.append(
                ModelCredit(
                    model=model,
                    margin=margin,
                    share=_share(margin, self.margin),
                    accuracy_lost=self.mean(right - _right(without)),
                    score_lost=score_lost.get(model),
                    gradient=gradient.get(model),
                )
            )
        return found


def clustered(values: Tensor, groups: Sequence[str]) -> Estimate:
    """The mean of values, [N], and its 95 % interval, where those of one group hang together.

    Student's t over groups, by the deviations' sums within each (Liang and Zeger 1986); with one
    value a group it is `estimate`. No interval for one group, or where all values are equal.
    """
    n = len(values)
    if n == 0:
        return Estimate(mean=None, low=None, high=None, n=0)
    mean = values.mean()
    names = {name: i for i, name in enumerate(dict.fromkeys(groups))}
    index = torch.tensor([names[name] for name in groups], dtype=torch.long)
    sums = torch.zeros(len(names), dtype=values.dtype).index_add(0, index, values - mean)
    g = len(names)
    if g == 1 or bool((values - mean).abs().max() <= 1e-12 + 1e-9 * mean.abs()):
        return Estimate(mean=mean.item(), low=None, high=None, n=n)
    half = float(stdtrit(g - 1, 0.975)) * (g / (g - 1) * sums.square().sum()).sqrt().item() / n
    return Estimate(mean=mean.item(), low=mean.item() - half, high=mean.item() + half, n=n)


def warnings(found: Credit) -> list[str]:
    """What is odd about who learned, in words."""
    said = []
    several = len(found.models) > 1
    for one in found.models:
        moved = [n.moved for n in found.nodes if n.model == one.model and n.moved is not None]
        if moved and max(moved) < _STILL:
            said.append(
                f"{one.model} has not moved: the values of its nodes are as likely as before "
                "training. Its pairs may agree there, or its learning rate be too low"
            )
        if several and one.share is not None and one.share > _ALL:
            said.append(
                f"{one.model} has {one.share:.0%} of the margin: on these pairs, what the other "
                "models have learned adds next to nothing"
            )
        if one.share is not None and one.share < 0 and _high(one.margin) < 0:
            said.append(
                f"{one.model} works against the others: its nodes make the rejected side likelier "
                f"({one.margin.mean:.3f} of the margin)"
            )
        if several and one.gradient is not None and one.gradient > _ALL:
            said.append(
                f"{one.model} captures {one.gradient:.0%} of the gradient's squared norm: clipping "
                "(`max_grad_norm`) scales the others down with it. Give models their own "
                "`learning_rate`"
            )
        if several and one.gradient is not None and one.gradient < _NOTHING:
            said.append(
                f"{one.model} is isolated: {one.gradient:.2%} of the gradient's squared norm "
                "reaches it"
            )
    return said


def _right(margins: Tensor) -> Tensor:
    return (margins > 0).double() + (margins == 0).double() / 2


def _share(part: Estimate, whole: Estimate) -> float | None:
    if part.mean is None or not whole.mean:
        return None
    if whole.low is not None and whole.high is not None and whole.low <= 0 <= whole.high:
        return None
    return part.mean / whole.mean


def _high(found: Estimate) -> float:
    return math.inf if found.high is None else found.high
