"""Scorers of final outputs: registered by name (`sysgraph.scorers`), or a model's by its spec."""

from .base import Scorer, Success, Unscored
from .registry import GROUP, ScorerLike, as_scorer, find_scorer

__all__ = ["GROUP", "Scorer", "ScorerLike", "Success", "Unscored", "as_scorer", "find_scorer"]
