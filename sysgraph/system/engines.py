"""The engines of a program's models: those of their kinds, and those that ask servers."""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any, cast

import torch

from sysgraph_compiler import Program
from sysgraph_schemas.models import Model

from ..engines import Hosted, Scored, engine_of
from ..engines.base import Divisible
from ..engines.ordering import Ordering
from ..engines.sharding import Sharding, sharded
from ..support.addresses import SERVERS, require_hosted
from ..support.errors import InputError
from ..support.servers import Servers
from .binding import Elsewhere


def own_engines(
    program: Program,
    models: Mapping[str, Model],
    *,
    device: torch.device,
    seed: int | None,
    endpoints: Mapping[str, str],
    sharding: Sharding | None = None,
) -> dict[str, object]:
    """The engine of each model's kind; one a kind, and another of those that are divided.

    Args:
        models: those that terms name, see `on_places`.
        sharding: how models are divided over processes; None: not at all.

    Raises:
        InputError: an address is of no hosted model, or a model cannot be loaded.
    """
    require_hosted(endpoints, [name for name, spec in program.models.items() if spec.is_hosted])
    by_kind: dict[tuple[str, bool], dict[str, Any]] = defaultdict(dict)
    for name, spec in models.items():
        divided = sharding is not None and spec.is_divided(program.fit)
        by_kind[spec.kind, divided][name] = spec
    rounded = [name for name, spec in models.items() if spec.base and spec.base.load_in]
    if rounded:  # before anything is loaded
        from ..engines.checkpoints.quantized import require_quantizer

        require_quantizer(rounded[0])
    engines: dict[str, object] = {}
    for (kind, divided), specs in by_kind.items():
        with sharded(sharding if divided else None):
            engine = engine_of(kind)(
                specs, device=device, seed=program.fit.seed if seed is None else seed
            )
        if divided and sharding is not None:
            if not isinstance(engine, Divisible):
                raise InputError(f"models of kind {kind!r} cannot be divided: leave out `shard`")
            engine.divide(sharding)
        engines.update(dict.fromkeys(specs, engine))
        if isinstance(engine, Hosted):
            engine.connect(endpoints)
    return engines


def with_servers(
    program: Program, own: Mapping[str, object], elsewhere: Elsewhere, servers: Servers
) -> Elsewhere:
    """`elsewhere`, and an engine that draws from the models whose `sampler` is a server.

    Args:
        own: the engine of each model's kind.

    Raises:
        InputError: an address is of no such server, or a model's kind cannot be sampled so.
    """
    names = [spec.server for spec in program.models.values() if spec.server is not None]
    require_hosted(servers.urls, names, SERVERS)
    given = elsewhere.get("sampled", {})
    served = [m for m in own if program.models[m].server is not None and m not in given]
    for model in served:
        if not isinstance(own[model], Ordering) or not isinstance(own[model], Scored):
            kind = program.models[model].kind
            raise InputError(f"model {model!r}: no server samples models of kind {kind!r}")
    if not served:
        return elsewhere

    from ..engines.server import ServerEngine

    specs = {model: program.models[model] for model in served}
    engine = ServerEngine(specs, cast("Any", {model: own[model] for model in served}), servers)
    return {**elsewhere, "sampled": {**dict.fromkeys(served, engine), **given}}
