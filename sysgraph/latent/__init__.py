"""Values that data does not hold: which ones a pair lacks, and the trajectories drawn for them."""

from .gaps import Gaps, Side, find_gaps, whole
from .sampler import Drawn, Job, TrajectorySampler
from .terms import Summand, inside, outside
from .trajectory import Trajectory
from .unfounded import unfounded

__all__ = [
    "Drawn",
    "Gaps",
    "Job",
    "Side",
    "Summand",
    "Trajectory",
    "TrajectorySampler",
    "find_gaps",
    "inside",
    "outside",
    "unfounded",
    "whole",
]
