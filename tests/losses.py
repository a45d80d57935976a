"""Losses with one graph of all, as training takes them pass by pass."""

from torch import Tensor

from sysgraph import System
from sysgraph.training.direct import Observed
from sysgraph.training.sampling import Marginal
from sysgraph.training.totals import Totals


def losses_of(system: System, asked: Observed | Marginal) -> tuple[Tensor, Totals]:
    return asked.losses(system.score)
