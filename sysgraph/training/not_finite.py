"""Which pair, node and model made a loss or a gradient that is not finite.

Steps and evaluations look at their sum alone, which waits for the device once. What is not finite
in it is looked for afterwards, pair by pair: training has stopped then, and time no longer counts.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence

import torch
from torch import Tensor, nn

from ..engines import Request
from ..engines.sharding import part_of
from ..latent import Drawn, inside
from ..system import System
from .pairs import PairTable

_SIDES = ("chosen", "rejected")


def bad_value(
    system: System, table: PairTable, visits: Sequence[int], drawn: Mapping[int, Drawn]
) -> str | None:
    """The first log-probability of `visits` that is not finite, with its pair, node and model.

    Args:
        drawn: the trajectories of each row with gaps. One that the models rule out, log p -inf, is
            a summand of 0, and no culprit.
    """
    for visit in visits:
        for where, request, finite in _requests(system, table, visit, drawn):
            with torch.no_grad():
                values = [float(system.score([request], reference=r)) for r in (False, True)]
            bad = [not finite(value) for value in values]
            if any(bad):
                who = "policy and reference" if all(bad) else "policy" if bad[0] else "reference"
                value = values[0] if bad[0] else values[1]
                return (
                    f"{where}: log p is {value} under model {request.model!r} ({who}). "
                    f"{_remedy(value)}"
                )
    return None


def bad_gradient(
    weights: Mapping[str, Mapping[str, nn.Parameter]],
    source: str,
    learn: Callable[[], Tensor],
    nodes: Mapping[str, Sequence[str]],
    total: Callable[[Tensor], Tensor],
) -> str | None:
    """Why a pair's own loss or gradient is not finite, though all its values are; None: they are.

    Every process asks at the same time, of one pair.

    Args:
        weights: trained parameters by model; their gradients are lost.
        source: the pair.
        learn: adds the pair's gradient to the parameters', and gives its loss, []: in the process
            whose pair it is; 0 in the others.
        nodes: each model's variables.
        total: sums over processes: gradients may be divided over them.
    """
    for parameters in weights.values():
        for parameter in parameters.values():
            parameter.grad = None
    loss = total(learn().detach())
    if not loss.isfinite():
        return f"{source}: its loss is {loss.item()}, though all its log p are finite"
    for model, parameters in weights.items():
        gradients = [part_of(p.grad) for p in parameters.values() if p.grad is not None]
        bad = sum((~gradient.isfinite()).sum().to(loss.device) for gradient in gradients)
        if total(torch.as_tensor(bad, device=loss.device)):
            return (
                f"{source}: the gradient of model {model!r} ({', '.join(nodes[model])}) is not "
                "finite, though all log p are: its dtype is too narrow. Set `dtype: float32`"
            )
    return None


def unexplained(table: PairTable, visits: Sequence[int]) -> str:
    """What is left to say where each pair alone is finite."""
    sources = dict.fromkeys(table.sources[visit % len(table)] for visit in visits)
    return f"among {', '.join(sources)}, each of which is finite alone"


def _requests(
    system: System, table: PairTable, visit: int, drawn: Mapping[int, Drawn]
) -> Iterator[tuple[str, Request, Callable[[float], bool]]]:
    """What a visit scores: where it is, the request, and whether a value of it can be."""
    row = visit % len(table)
    source, gaps = table.sources[row], table.gaps[row]
    for side, numbers in zip(_SIDES, table.at([visit])[0].tolist(), strict=True):
        for t, number in enumerate(numbers):
            if number < len(table.requests):
                request = table.requests[number]
                if table.renewed[t]:
                    request = table.renewal(visit, t, number)
                yield f"{source}: {side}.{table.terms[t]}", request, math.isfinite
    if gaps is None:
        return
    for s, side in enumerate(_SIDES):
        for one in drawn.get(row, ()):
            found = inside(system.program, gaps, s, one.values)
            said = ", ".join(f"{v} {c.text!r:.60}" for v, c in one.values.items())
            for name, request in found.terms.items() if found else ():
                yield f"{source}: {side}.{name}, with the drawn {said}", request, _summand


def _summand(value: float) -> bool:
    return value < math.inf  # nor NaN


def _remedy(value: float) -> str:
    if value == -math.inf:
        return "The model rules the value out: leave the pair out, or train on it first"
    return (
        "The model's weights or activations are not finite: training diverged (lower "
        "`learning_rate`), or its dtype is too narrow (set `dtype: float32`)"
    )
