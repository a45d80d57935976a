r"""The losses of one preference: how each is named, what it is a function of, how it reads.

Names and formulas are TRL's, but for `dpop`, which it has not. The functions themselves are in
`sysgraph.objectives.losses`, one file a loss. A reading is in these symbols, which `compile`
defines beside it:

    text      latex         what
    m         \Delta        beta * (the margin: chosen's log p/p_ref minus rejected's)
    m_token   \bar\Delta    the same of log-ratios per token of their own side
    w, l      \rho^w, ...   beta * (log p/p_ref of chosen, of rejected)
    nll       \nu           negative log-likelihood of chosen, per token
    eps       \varepsilon   `fit.label_smoothing`
    tau       \kappa        `fit.discopop_tau`
    lambda    \lambda       `fit.dpop_lambda`

In LaTeX, \Delta, \bar\Delta and \rho are without beta.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Argument = Literal["margin", "margin_per_token", "sides", "likelihood"]
LossName = Literal[
    "sigmoid",
    "ipo",
    "hinge",
    "robust",
    "exo_pair",
    "nca_pair",
    "bco_pair",
    "sppo_hard",
    "apo_zero",
    "apo_down",
    "discopop",
    "dpop",
    "sft",
]


@dataclass(frozen=True, slots=True)
class Reading:
    """A loss in symbols."""

    text: str
    latex: str


@dataclass(frozen=True, slots=True)
class Loss:
    """What there is to know about a loss without computing it.

    `of`: what it is a function of. Of the `margin` alone, a term whose log-ratio both sides share
    cancels; of the margin of ratios divided by each side's length, and of both `sides` apart, it
    does not. A loss of the `likelihood` knows only the chosen side, and no reference.

    `plain`: how it reads without label smoothing, None where it needs that. `smoothed`: how it
    reads with it, None where it takes none. `settings`: the further keys of `fit` that it reads.
    """

    of: Argument
    source: str
    plain: Reading | None
    smoothed: Reading | None = None
    settings: tuple[str, ...] = ()

    def reading(self, label_smoothing: float) -> Reading:
        """How it reads with this label smoothing, if it takes any."""
        found = (self.smoothed if label_smoothing else None) or self.plain
        assert found is not None
        return found


_SIGMOID = Reading("-log sigmoid(m)", r"-\log \sigma(\beta \Delta)")

LOSSES: Mapping[LossName, Loss] = {
    "sigmoid": Loss(
        "margin",
        "DPO, Rafailov et al. 2023, eq. 7; smoothed: conservative DPO",
        _SIGMOID,
        Reading(
            "-(1 - eps) log sigmoid(m) - eps log sigmoid(-m)",
            r"-\bigl[ (1 - \varepsilon) \log \sigma(\beta \Delta) "
            r"+ \varepsilon \log \sigma(-\beta \Delta) \bigr]",
        ),
    ),
    "ipo": Loss(
        "margin_per_token",
        "IPO, Azar et al. 2023, eq. 17",
        Reading(
            "(m_token / beta - 1 / (2 beta))^2",
            r"\Bigl( \bar\Delta - \frac{1}{2 \beta} \Bigr)^2",
        ),
    ),
    "hinge": Loss(
        "margin",
        "SLiC, Zhao et al. 2023",
        Reading("max(0, 1 - m)", r"\max(0, 1 - \beta \Delta)"),
    ),
    "robust": Loss(
        "margin",
        "Robust DPO, Chowdhury et al. 2024, eq. 9",
        _SIGMOID,
        Reading(
            "[ eps log sigmoid(-m) - (1 - eps) log sigmoid(m) ] / (1 - 2 eps)",
            r"\frac{\varepsilon \log \sigma(-\beta \Delta) "
            r"- (1 - \varepsilon) \log \sigma(\beta \Delta)}{1 - 2 \varepsilon}",
        ),
    ),
    "exo_pair": Loss(
        "margin",
        "EXO, Ji et al. 2024, eq. 16",
        None,
        Reading(
            "sigmoid(m) log[ sigmoid(m) / (1 - eps) ] + sigmoid(-m) log[ sigmoid(-m) / eps ]",
            r"\sigma(\beta \Delta) \log \frac{\sigma(\beta \Delta)}{1 - \varepsilon} "
            r"+ \sigma(-\beta \Delta) \log \frac{\sigma(-\beta \Delta)}{\varepsilon}",
        ),
    ),
    "nca_pair": Loss(
        "sides",
        "NCA, Chen et al. 2024",
        Reading(
            "-log sigmoid(w) - [ log sigmoid(-w) + log sigmoid(-l) ] / 2",
            r"-\log \sigma(\beta \rho^w) - \tfrac{1}{2} \log \sigma(-\beta \rho^w) "
            r"- \tfrac{1}{2} \log \sigma(-\beta \rho^l)",
        ),
    ),
    "bco_pair": Loss(
        "sides",
        "BCO, Jung et al. 2024, on pairs and without its running shift, as TRL has it",
        Reading(
            "-log sigmoid(w) - log sigmoid(-l)",
            r"-\log \sigma(\beta \rho^w) - \log \sigma(-\beta \rho^l)",
        ),
    ),
    "sppo_hard": Loss(
        "sides",
        "SPPO, Wu et al. 2024, eq. 4.7, with preferences of 1 and 0",
        Reading(
            "(w / beta - 1 / (2 beta))^2 + (l / beta + 1 / (2 beta))^2",
            r"\Bigl( \rho^w - \frac{1}{2 \beta} \Bigr)^2 "
            r"+ \Bigl( \rho^l + \frac{1}{2 \beta} \Bigr)^2",
        ),
    ),
    "apo_zero": Loss(
        "sides",
        "APO, D'Oosterlinck et al. 2024, eq. 7",
        Reading(
            "1 - sigmoid(w) + sigmoid(l)",
            r"1 - \sigma(\beta \rho^w) + \sigma(\beta \rho^l)",
        ),
    ),
    "apo_down": Loss(
        "sides",
        "APO, D'Oosterlinck et al. 2024, eq. 8",
        Reading(
            "sigmoid(w) + 1 - sigmoid(w - l)",
            r"\sigma(\beta \rho^w) + 1 - \sigma(\beta (\rho^w - \rho^l))",
        ),
    ),
    "discopop": Loss(
        "margin",
        "DiscoPOP, Lu et al. 2024, eq. 5",
        Reading(
            "-sigmoid(-m / tau) log sigmoid(m) + sigmoid(m / tau) exp(-m)",
            r"-\sigma(-\beta \Delta / \kappa) \log \sigma(\beta \Delta) "
            r"+ \sigma(\beta \Delta / \kappa) \, e^{-\beta \Delta}",
        ),
        settings=("discopop_tau",),
    ),
    "dpop": Loss(
        "sides",
        "DPO-Positive, Pal et al. 2024, eq. 3",
        Reading(
            "-log sigmoid(w - l - lambda * max(0, -w))",
            r"-\log \sigma(\beta (\rho^w - \rho^l - \lambda \max(0, -\rho^w)))",
        ),
        settings=("dpop_lambda",),
    ),
    "sft": Loss(
        "likelihood",
        "the negative log-likelihood of chosen, over all tokens of a batch",
        Reading("nll", r"\nu"),
    ),
}
