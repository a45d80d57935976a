"""The functions of the declared losses, one file a loss (`sysgraph_schemas.losses`)."""

from collections.abc import Callable, Mapping

from torch import Tensor

from sysgraph_schemas import Fit
from sysgraph_schemas.losses import LossName

from .apo_down import apo_down
from .apo_zero import apo_zero
from .bco_pair import bco_pair
from .discopop import discopop
from .dpop import dpop
from .exo_pair import exo_pair
from .hinge import hinge
from .ipo import ipo
from .nca_pair import nca_pair
from .robust import robust
from .sft import sft
from .sides import Sides
from .sigmoid import sigmoid
from .sppo_hard import sppo_hard

FUNCTIONS: Mapping[LossName, Callable[[Sides, Fit], Tensor]] = {
    "sigmoid": sigmoid,
    "ipo": ipo,
    "hinge": hinge,
    "robust": robust,
    "exo_pair": exo_pair,
    "nca_pair": nca_pair,
    "bco_pair": bco_pair,
    "sppo_hard": sppo_hard,
    "apo_zero": apo_zero,
    "apo_down": apo_down,
    "discopop": discopop,
    "dpop": dpop,
    "sft": sft,
}


def preference_loss(sides: Sides, fit: Fit) -> Tensor:
    """The weighted sum of the losses that `fit.loss` names: [...], one value per preference."""
    (first, *others) = (w * FUNCTIONS[name](sides, fit) for name, w in fit.losses.items())
    return sum(others, first)


__all__ = ["FUNCTIONS", "Sides", "preference_loss"]
