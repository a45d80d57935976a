"""Engines: one per model kind. A new kind is one engine here and one schema class."""

from collections.abc import Callable
from importlib import import_module

from .base import Draw, Engine, Pass, Prompted, Request, Sampler, Search, Searcher

# Imported when a system has a model of the kind: transformers alone takes seconds.
_ENGINES = {
    "causal_lm": ("sysgraph.engines.causal_lm", "CausalLMEngine"),
    "classifier": ("sysgraph.engines.classifier", "ClassifierEngine"),
    "diffusion": ("sysgraph.engines.diffusion", "DiffusionEngine"),
    "table": ("sysgraph.engines.table", "TableEngine"),
}


def engine_of(kind: str) -> Callable[..., Engine]:
    """The engine class of a model kind: called with {name: spec}, `device` and `seed`."""
    module, name = _ENGINES[kind]
    engine: Callable[..., Engine] = getattr(import_module(module), name)
    return engine


__all__ = [
    "Draw",
    "Engine",
    "Pass",
    "Prompted",
    "Request",
    "Sampler",
    "Search",
    "Searcher",
    "engine_of",
]
