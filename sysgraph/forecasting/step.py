"""The passes of one step, on shapes: how many there are, and what the largest of them take."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch._subclasses.fake_tensor import (
    DataDependentOutputException,
    DynamicOutputShapeException,
)

from ..engines import Pass, Request, choices
from ..engines.requests import requests
from ..support.errors import InputError
from ..system import System
from ..traces.pair import Pair
from ..training.adjoint import Adjoint
from ..training.needs import needs
from ..training.noise import Noises
from .allocations import Allocations
from .made_up import MadeUp
from .result import StepShare


def step_of(
    system: System,
    pairs: Sequence[Pair],
    *,
    inputs: Sequence[Mapping[str, Any]] = (),
    processes: int = 1,
) -> StepShare:
    """What one process does in a step.

    Args:
        pairs: of one step; without any, such are made up, as long as values get.
        inputs: what those are of.
        processes: between which they are shared out.
    """
    made_up = MadeUp(system)
    several = pairs or [
        made_up.pair(made_up.inputs(inputs[number % len(inputs)] if inputs else {}), number)
        for number in range(system.program.fit.batch_size)
    ]
    asked = [_requests(system, made_up, pair, row) for row, pair in enumerate(several)]
    _require_foreseeable(system, asked)
    mine = asked[::processes]
    portions = list(_portions(mine, Adjoint(system).fits))
    passes = [one for portion in portions for one in _passes(system, portion)]
    referred = list(dict.fromkeys(one for pair in mine for one in pair))
    return StepShare(
        pairs=len(several),
        passes=len(passes),
        tokens=sum(one.work.tokens for one in passes),
        references=len(system.passes(_parts(referred), reference=True)),
        activations=_peak(system, max(portions, key=lambda one: _held(_passes(system, one)))),
        made_up=not pairs,
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


def _require_foreseeable(system: System, asked: Sequence[Sequence[Request]]) -> None:
    """Refuses models whose passes look at numbers, as some do that read images.

    Raises:
        InputError: with the model's name.
    """
    first = {part.model: part for several in asked for part in _parts(several)}
    for model, request in first.items():
        try:
            for one in system.passes([request], gradients=True):
                one.run()
        except (DataDependentOutputException, DynamicOutputShapeException) as error:
            raise InputError(
                f"model {model!r} ({system.program.models[model].kind}) looks at numbers while it "
                "computes, and a dry run has none: see what one step takes (--set fit.steps=1)"
            ) from error


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


def _peak(system: System, portion: Sequence[Request]) -> int:
    """Bytes that the passes of a portion take at the most, with their backward passes."""
    passes = _passes(system, portion)
    if not passes:
        return 0
    held = sum(one.share for one in passes) <= 1
    together = passes if held else [max(passes, key=lambda one: one.work.tokens)]
    trained = [p for model in system.trained() for p in system.parameters(model).values()]
    for parameter in trained:
        parameter.grad = torch.zeros_like(parameter)  # they last: no part of what is counted
    with Allocations() as counted:
        graphs = [one.run() for one in together]
        while graphs:
            values = graphs.pop(0)
            if values.requires_grad:
                values.backward(torch.ones_like(values))
            del values
    most: int = counted.most
    return most
