"""The passes of one step, on shapes: how many there are, and what the largest of them take."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ..engines import Pass, Request, choices
from ..engines.requests import requests
from ..system import System
from ..traces.pair import Pair
from ..training.adjoint import Adjoint
from ..training.needs import needs
from ..training.noise import Noises
from .allocations import Allocations
from .made_up import MadeUp
from .result import StepShare


def pairs_of(system: System, inputs: Sequence[Mapping[str, Any]]) -> list[Pair]:
    """Pairs of one step, made up of values as long as they get.

    Args:
        inputs: what they are of.
    """
    made_up, count = MadeUp(system), system.program.fit.batch_size
    return [
        made_up.pair(inputs[number % len(inputs)] if inputs else {}, number)
        for number in range(count)
    ]


def step_of(
    system: System, pairs: Sequence[Pair], *, processes: int = 1, made_up: bool = False
) -> StepShare:
    """What one process does in a step.

    Args:
        pairs: of one step.
        processes: between which they are shared out.
        made_up: what is told of the pairs.
    """
    filling = MadeUp(system)
    every = [_requests(system, filling, pair, row) for row, pair in enumerate(pairs)]
    unknown = _unknown(system, [one for several in every for one in several])
    asked = [[one for one in several if one.model not in unknown] for several in every]
    portions = list(_portions(asked[::processes], Adjoint(system).fits))
    largest = max(portions, key=lambda one: _held(_passes(system, one)))
    referred = _parts([one for pair in asked[::processes] for one in pair])
    passes = [one for part in portions for one in _passes(system, part)]
    taken = _taken(system, largest, alone=len(portions) == 1)
    return StepShare(
        pairs=len(pairs),
        passes=len(passes),
        tokens=sum(one.work.tokens for one in passes),
        references=len(system.passes(referred, reference=True)),
        activations=taken.most,
        by_model=taken.by_model,
        unknown=unknown,
        made_up=made_up,
    )


def _requests(system: System, made_up: MadeUp, pair: Pair, row: int) -> list[Request]:
    """What is scored of one pair: of one that lacks values, with as many made up as are drawn."""
    program = system.program
    noises = Noises.of(program, program.fit.seed, held_out=False)
    found: dict[Request, None] = {}
    needed = needs(program, pair)
    for side, wanted in zip(needed.sides, needed.scored, strict=True):
        for variable, request in side.items():
            if variable in wanted:
                found[replace(request, noise=noises.draws(variable, row, 0))] = None
    for one in needed.gaps.sides if needed.gaps is not None else ():
        for number in range(program.fit.sampling.k):
            filled = made_up.filled(one.given, row * program.fit.sampling.k + number)
            found.update(dict.fromkeys(request for _, request in requests(program, filled)))
    return [request for request in found if system.problem(request) is None]


def _unknown(system: System, asked: Sequence[Request]) -> dict[str, str]:
    """The models whose passes do not run on shapes, and why, as their probes find out.

    One that chooses between experts looks at what a layer gives.
    """
    found: dict[str, str] = {}
    for request in {one.model: one for one in _parts(asked)}.values():
        try:
            system.passes([request], gradients=True)
        except (RuntimeError, NotImplementedError) as error:
            found[request.model] = str(error).partition("\n")[0] or type(error).__name__
    return found


def _portions(
    pairs: Sequence[Sequence[Request]], fits: Callable[[Sequence[Request]], bool]
) -> Iterator[list[Request]]:
    """The requests of as many pairs as are held together, as a step cuts itself."""
    together = list(dict.fromkeys(request for pair in pairs for request in pair))
    if len(pairs) < 2 or fits(together):
        yield together
        return
    half = -(-len(pairs) // 2)
    for part in (pairs[:half], pairs[half:]):
        yield from _portions(part, fits)


def _parts(several: Sequence[Request]) -> list[Request]:
    return list(dict.fromkeys(part for one in several for part in choices.parts(one)))


def _passes(system: System, several: Sequence[Request]) -> list[Pass]:
    return system.passes(_parts(several), gradients=True)


def _held(passes: Sequence[Pass]) -> float:
    """Of the memory that one pass may take, what is held at a time: all, or the largest alone."""
    shares = [one.share for one in passes]
    return sum(shares) if sum(shares) <= 1 else max(shares)


class Taken(NamedTuple):
    """Bytes that passes take at the most: all of them, and those of each model by themselves."""

    most: int
    by_model: Mapping[str, int]


def _taken(system: System, portion: Sequence[Request], *, alone: bool) -> Taken:
    """What the passes of a portion take, with their backward passes, gradients aside.

    Args:
        alone: it is all of a step: gradients come to be while its graphs go, and where these take
            as much, they take nothing more.
    """
    parts = _parts(portion)
    passes = _passes(system, portion)
    if sum(one.share for one in passes) > 1:  # they run one by one: the largest of each model
        order = sorted(passes, key=lambda one: (one.work.tokens, len(one.rows)))
        each = {parts[one.rows[0]].model: one for one in order}
        runs = [_run(system, {model: [one]}, has_gradients=True) for model, one in each.items()]
        by_model = {model: most for one in runs for model, most in one.by_model.items()}
        return Taken(max(by_model.values(), default=0), by_model)
    of_model: dict[str, list[Pass]] = defaultdict(list)
    for one in passes:
        of_model[parts[one.rows[0]].model].append(one)
    return _run(system, of_model, has_gradients=not alone)


def _run(system: System, passes: Mapping[str, Sequence[Pass]], *, has_gradients: bool) -> Taken:
    """Runs passes forward, then backward, as a step does with those that it holds together.

    Args:
        has_gradients: from passes before these.
    """
    if not passes:
        return Taken(0, {})
    gradients: dict[str, int] = defaultdict(int)
    for model in system.trained():
        for parameter in system.parameters(model).values():
            parameter.grad = torch.zeros_like(parameter) if has_gradients else None
            size = parameter.numel() * parameter.element_size()
            gradients[model] += 0 if has_gradients else size
    held: dict[str, int] = defaultdict(int)
    above: dict[str, int] = defaultdict(int)
    graphs: list[tuple[str, int, Tensor]] = []
    with Allocations() as counted:
        for model, several in passes.items():
            for one in several:
                before = counted.restart()
                values = one.run()
                size = counted.now - before
                held[model] += size
                above[model] = max(above[model], counted.most - before - size)
                graphs.append((model, size, values))
        del values
        while graphs:
            model, size, values = graphs.pop(0)
            start = counted.restart()
            if values.requires_grad:
                values.backward(torch.ones_like(values))
            above[model] = max(above[model], counted.most - start)
            del values
    return Taken(
        max(0, counted.most_ever - sum(gradients.values())),
        {model: held[model] + max(0, above[model] - gradients[model]) for model in passes},
    )
