"""Who says which of two samples is better: a scorer of each, a judge of both, or people."""

from .base import Rater, Rating, require_texts
from .by_hand import ByHand, read_answers
from .by_judge import ByJudge
from .by_score import ByScore

__all__ = [
    "ByHand",
    "ByJudge",
    "ByScore",
    "Rater",
    "Rating",
    "read_answers",
    "require_texts",
]
