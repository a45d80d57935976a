"""Engines: one per model kind. A new kind is one engine here and one schema class."""

from collections.abc import Callable
from typing import Any

from .base import Draw, Engine, Request
from .causal_lm import CausalLMEngine
from .table import TableEngine

ENGINES: dict[str, Callable[..., Any]] = {"causal_lm": CausalLMEngine, "table": TableEngine}

__all__ = ["ENGINES", "Draw", "Engine", "Request"]
