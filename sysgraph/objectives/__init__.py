"""Preference objectives over whole systems, as pure functions of log-probabilities."""

from .direct import chosen_nll, direct_loss, log_ratios, node_losses
from .preference import preference_loss

__all__ = ["chosen_nll", "direct_loss", "log_ratios", "node_losses", "preference_loss"]
