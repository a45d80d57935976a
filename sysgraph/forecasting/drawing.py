"""What drawing takes: the samples of a round, and the values that pairs leave open."""

import itertools
from collections import defaultdict
from collections.abc import Hashable, Iterator, Mapping, Sequence, Set
from typing import Any

from sysgraph_compiler import Variable
from sysgraph_schemas.samplers import SAMPLERS

from ..engines import Draw
from ..system import System
from ..traces.course import context
from ..traces.pair import Pair
from ..traces.trace import Completion, Trace
from ..training.needs import needs
from .allocations import Allocations
from .made_up import MadeUp
from .result import Drawing


def round_of(
    system: System,
    inputs: Sequence[Mapping[str, Any]],
    models: Set[str],
    *,
    processes: int = 1,
) -> Iterator[Drawing]:
    """What one process draws in a round, by model; the values are as long as they get.

    Args:
        inputs: all there are to collect on.
        models: those that run on shapes.
        processes: between which they are shared out.
    """
    fit, made_up = system.program.fit, MadeUp(system)
    count = min(fit.inputs_per_round or len(inputs), len(inputs))
    mine = -(-count // processes)
    together = min(mine, system.inputs_at_once(fit.samples))
    starts = [made_up.start(row) for row in inputs[:together]]
    traces = [
        made_up.filled(start, number * fit.samples + sample)
        for number, start in enumerate(starts)
        for sample in range(fit.samples)
    ]
    times = mine / max(together, 1)
    for generation in system.program.layers:
        variables = [v for v in generation if system.program.model_of(v.name) in models]
        yield from _drawings(system, variables, traces, times=times)


def latent_of(system: System, pairs: Sequence[Pair], models: Set[str]) -> Iterator[Drawing]:
    """What is drawn of values that the pairs of a step lack, by model.

    Args:
        models: those that run on shapes.
    """
    program, made_up = system.program, MadeUp(system)
    settings = program.fit.sampling
    is_search = not SAMPLERS[settings.sampler].independent
    each = 1 if is_search else settings.drawn
    latent: dict[str, list[Trace]] = defaultdict(list)
    for row, pair in enumerate(pairs):
        gaps = needs(program, pair).gaps
        if gaps is None:
            continue
        lacking = [name for several in gaps.plan.layers.values() for name in several]
        for side, number in itertools.product(gaps.starts, range(each)):
            filled = made_up.filled(gaps.sides[side].given, row * each + number)
            for name in lacking:
                if program.model_of(name) in models:
                    latent[name].append(filled)
    for name, traces in latent.items():
        yield from _drawings(
            system,
            [program.variable(name)],
            traces,
            times=settings.redraw_every,
            copies=settings.drawn if is_search else 1,
        )


def _drawings(
    system: System,
    variables: Sequence[Variable],
    traces: Sequence[Trace],
    *,
    times: float,
    copies: int = 1,
) -> Iterator[Drawing]:
    """What models draw at once for these variables, each in all traces.

    Args:
        times: how often as much is drawn.
        copies: texts of each that are written side by side.
    """
    groups: dict[Hashable, list[Draw]] = defaultdict(list)
    tokens: dict[Hashable, int] = defaultdict(int)
    for variable in variables:
        model = system.program.model_of(variable.name)
        if variable.is_given or variable.options or model is None:
            continue  # a choice is scored
        for number, trace in enumerate(traces):
            value = trace.values.get(variable.name)
            if value is None:
                continue
            draw = Draw(model, context(variable, trace), number, decoding=variable.decoding)
            if system.refusal(draw) is None:
                key = model, variable.decoding
                groups[key].append(draw)
                tokens[key] += len(value.ids or ()) if isinstance(value, Completion) else 0
    for group, draws in groups.items():
        with Allocations() as counted:
            at_once = system.rehearse(draws, copies=copies)
        if at_once is not None:
            yield Drawing(
                model=draws[0].model,
                values=round(len(draws) * copies * times),
                tokens=round(tokens[group] * copies * times),
                at_once=at_once * copies,
                memory=counted.most,
            )


def by_model(found: Iterator[Drawing]) -> tuple[Drawing, ...]:
    """Those of one model as one: it draws after itself."""
    out: dict[str, Drawing] = {}
    for one in found:
        before = out.get(one.model)
        out[one.model] = one if before is None else before + one
    return tuple(out.values())
