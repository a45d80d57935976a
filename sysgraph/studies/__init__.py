"""`sysgraph.study`: is joint training worth it? Ways of training, in one table."""

from .comparison import study
from .results import Draws, Measurement, Study, StudyRow

__all__ = ["Draws", "Measurement", "Study", "StudyRow", "study"]
