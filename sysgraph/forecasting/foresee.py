"""What a training would take: models as shapes, the passes of one step, and what these leave."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch._subclasses.fake_tensor import (
    DataDependentOutputException,
    DynamicOutputShapeException,
)

import sysgraph_compiler
from sysgraph_compiler import Program, load
from sysgraph_schemas import Checkpoint, Graph

from ..data.rows import Source
from ..engines import engine_of
from ..engines.base import Base, Foreseen
from ..engines.checkpoints.memory import device_bytes
from ..engines.checkpoints.shapes import numbers, only_shapes
from ..engines.checkpoints.sources import source
from ..measuring.scorers import ScorerLike, as_scorer
from ..support.device import default_device
from ..support.errors import InputError
from ..support.seeding import derive
from ..system import System
from ..system.shares import Share
from ..traces.pair import Pair
from ..training.batches import batch_visits
from ..training.fitting import material_of, with_data
from ..training.pairs import split_pairs
from .dividing import Division
from .drawing import by_model, latent_of, round_of
from .result import CPU, Forecast, ModelShare
from .step import pairs_of, step_of


def forecast(
    graph: Graph | str | Path,
    *,
    data: Source | None = None,
    scorer: ScorerLike | None = None,
    tools: Mapping[str, Any] | None = None,
    device: torch.device | str | None = None,
    processes: int = 1,
) -> Forecast:
    """What `fit` would take, from configs and tokenizers alone: no weights are loaded or fetched.

    Of pairs, those of the first step are looked at. In rounds there are none yet: then they are
    made up, as long as values may get.

    Args:
        graph, data, scorer, tools: as `fit` takes them.
        device: where models would be; default: as for `fit`.
        processes: of the run.

    Raises:
        GraphError: the graph is wrong.
        InputError: the data is, a checkpoint has no config that can be read, or a model is of a
            kind that is not loaded as shapes.
    """
    graph, rows = with_data(graph if isinstance(graph, Graph) else load(graph), data)
    program = sysgraph_compiler.compile(graph, tools=tools or {})
    material = material_of(program, rows, as_scorer(scorer) if scorer is not None else None)
    where = torch.device(device) if device else default_device()
    for name, spec in program.models.items():
        if not isinstance(spec, Checkpoint):
            continue
        if not issubclass(engine_of(spec.kind), Foreseen):  # type: ignore[arg-type]
            raise InputError(
                f"a dry run does not know what model {name!r} takes: models of kind "
                f"{spec.kind!r} are not loaded as shapes. See what one step takes (fit.steps=1)"
            )
        source(spec.id, revision=spec.revision)  # a toy is built here, with its numbers
    pairs = _first_batch(program, material.pairs)
    with only_shapes(where), _explained():
        system = System(program, device="cpu")
        whole = tuple(system.bases())
        models = tuple(_share(system, name, whole) for name in system.trained())
        with numbers():
            divided = Division.of(system, processes)
            several = pairs or pairs_of(system, material.inputs)
            step = step_of(system, several, processes=processes, made_up=not pairs)
            known = system.program.models.keys() - step.unknown.keys()
            latent = by_model(latent_of(system, several[::processes], known))
            drawn = round_of(system, material.inputs, known, processes=processes)
            samples = by_model(drawn) if program.fit.rounds else ()
    bases = tuple(divided.base(base, models) for base in whole)
    types = {model: base.dtype for base in bases for model in base.models}
    return Forecast(
        name=program.name,
        device=str(where),
        rooms=_rooms(where, bases),
        processes=processes,
        bases=bases,
        models=tuple(divided.model(one, types.get(one.model, "float32")) for one in models),
        step=divided.step(step),
        offloads=bool(divided.models) and program.fit.offloads,
        samples=tuple(map(divided.drawing, samples)),
        latent=tuple(map(divided.drawing, latent)),
    )


@contextlib.contextmanager
def _explained() -> Iterator[None]:
    """Refuses what only shows when it runs.

    Raises:
        InputError: a pass looks at numbers that a probe did not.
    """
    try:
        yield
    except (DataDependentOutputException, DynamicOutputShapeException) as error:
        raise InputError(
            f"a model looks at what its layers give ({error}), and a dry run has no numbers there: "
            "see what one step takes (--set fit.steps=1)"
        ) from error


def _rooms(where: torch.device, bases: Sequence[Base]) -> dict[str, int]:
    """Bytes that the devices have that models are on, and main memory."""
    names = dict.fromkeys([str(where), *(base.device for base in bases), CPU])
    return {name: device_bytes(torch.device(name)) for name in names}


def _share(system: System, model: str, bases: Sequence[Base]) -> ModelShare:
    fit, train = system.program.fit, system.program.models[model].training
    base = next((base for base in bases if model in base.models), None)
    share = Share.of(train, system.parameters(model).values(), base)
    rounds, moves = fit.rounds > 1, fit.reference is not None
    # The round's start, where the reference is by now, and the best of a round and of all.
    copies = rounds + moves + bool(fit.eval_fraction) * (1 + rounds)
    return ModelShare(
        model=model,
        train=train,
        parameters=share.parameters,
        weights=share.weights,
        gradients=share.gradients,
        optimizer=share.optimizer,
        reference=share.running if rounds or moves else 0,
        kept=share.gradients * copies,
    )


def _first_batch(program: Program, pairs: Sequence[Pair]) -> list[Pair]:
    """The pairs of the first step."""
    fit = program.fit
    train = split_pairs(pairs, fit.eval_fraction, fit.seed)["train"]
    if not train:
        return []
    visits = batch_visits(len(train), fit.batch_size, 0, derive(fit.seed, 0))
    return [train[visit % len(train)] for visit in visits]
