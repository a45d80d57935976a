"""Engines: one per model kind, found in one table. A new kind is an engine and a schema class.

Packages register theirs in the entry-point group `sysgraph.engines` under the kind, whose schema
class they register in `sysgraph.models`.
"""

from collections.abc import Callable
from importlib import import_module
from importlib.metadata import entry_points

from sysgraph_schemas.kinds import package_of

from ..support.errors import InputError
from .asked import Draw, Listener, Refused, Request, Search
from .base import (
    Asking,
    Counting,
    Editing,
    Exported,
    Fingerprinted,
    Hosted,
    Prompted,
    Receiving,
    Sampled,
    Scored,
    Searched,
    Telling,
    Tokenwise,
    Trained,
)
from .passes import Pass
from .work import Work

GROUP = "sysgraph.engines"

# Imported when a system has a model of the kind: transformers alone takes seconds.
_ENGINES = {
    "causal_lm": ("sysgraph.engines.causal_lm", "CausalLMEngine"),
    "classifier": ("sysgraph.engines.classifier", "ClassifierEngine"),
    "diffusion": ("sysgraph.engines.diffusion", "DiffusionEngine"),
    "endpoint": ("sysgraph.engines.endpoint", "EndpointEngine"),
    "vision_lm": ("sysgraph.engines.vision_lm", "VisionLMEngine"),
    "table": ("sysgraph.engines.table", "TableEngine"),
}


def engine_of(kind: str) -> Callable[..., object]:
    """The engine class of a model kind: called with {name: spec}, `device` and `seed`.

    Raises:
        InputError: no package registers one, several do, or it cannot be loaded.
    """
    if kind in _ENGINES:
        module, name = _ENGINES[kind]
        built_in: Callable[..., object] = getattr(import_module(module), name)
        return built_in
    found = [point for point in entry_points(group=GROUP) if point.name == kind]
    if len(found) != 1:
        several = " and ".join(sorted(map(package_of, found))) or "no package"
        raise InputError(
            f"{several} registers an engine for models of kind {kind!r} (entry-point group {GROUP})"
        )
    (point,) = found
    where = f"the engine of kind {kind!r}, which {package_of(point)} registers as {point.value},"
    try:
        engine: Callable[..., object] = point.load()
    except Exception as error:  # a package may do anything when it is imported
        raise InputError(f"{where} cannot be loaded: {type(error).__name__}: {error}") from error
    if not callable(engine):
        raise InputError(f"{where} is no class: {engine!r:.60}")
    return engine


__all__ = [
    "Asking",
    "Counting",
    "Draw",
    "Editing",
    "Exported",
    "Fingerprinted",
    "Hosted",
    "Listener",
    "Pass",
    "Prompted",
    "Receiving",
    "Refused",
    "Request",
    "Sampled",
    "Scored",
    "Search",
    "Searched",
    "Telling",
    "Tokenwise",
    "Trained",
    "Work",
    "engine_of",
]
