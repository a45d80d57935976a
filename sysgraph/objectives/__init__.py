"""Preference objectives over whole systems, as pure functions of log-probabilities."""

from .diagnostics import covered_mass, distinct_samples, effective_samples, prefer_different
from .direct import chosen_nll, direct_loss, log_ratios, node_losses
from .losses import Sides, preference_loss
from .sampling import (
    marginal_log_prob,
    marginal_nll,
    posterior_mean,
    posterior_weights,
    sampling_loss,
    usable,
)

__all__ = [
    "Sides",
    "chosen_nll",
    "covered_mass",
    "direct_loss",
    "distinct_samples",
    "effective_samples",
    "log_ratios",
    "marginal_log_prob",
    "marginal_nll",
    "node_losses",
    "posterior_mean",
    "posterior_weights",
    "prefer_different",
    "preference_loss",
    "sampling_loss",
    "usable",
]
