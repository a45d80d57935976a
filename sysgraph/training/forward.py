"""One batch of pairs through the objective: its loss and its metrics, without leaving the device."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from sysgraph_schemas import Fit

from ..objectives import chosen_nll, direct_loss, log_ratios, node_losses
from ..system import System
from .pairs import PairTable


@dataclass(frozen=True)
class Totals:
    """Sums and counts of metrics over pairs; add them up over batches and processes, then divide."""

    names: tuple[str, ...]
    sums: Tensor  # (M,)
    counts: Tensor  # (M,)

    def __add__(self, other: "Totals") -> "Totals":
        return Totals(self.names, self.sums + other.sums, self.counts + other.counts)

    def means(self) -> dict[str, float]:
        """Mean of every metric that was seen at all."""
        pairs = zip(self.names, self.sums.tolist(), self.counts.tolist(), strict=True)
        return {name: total / count for name, total, count in pairs if count}


def pair_losses(
    system: System, table: PairTable, rows: Sequence[int], reference: Tensor, fit: Fit
) -> tuple[Tensor, Totals]:
    """The losses of `rows` of `table`, [B], and their metrics.

    Args:
        reference: [R + 1] the reference's log p of every request of the table, 0 at R.
    """
    device = reference.device
    index = table.index[list(rows)]  # (B, 2, T)
    used, position = index.unique(return_inverse=True)
    scored = used[used < len(table.requests)]
    values = system.score([table.requests[r] for r in scored.tolist()])
    # The position after the last value stands for "nothing to score" and reads as 0.
    values = torch.cat([values, values.new_zeros(1)])
    policy = values[position.to(device)].transpose(0, 1)  # (2, B, T)
    index = index.to(device)
    before = reference[index].transpose(0, 1)  # (2, B, T)
    tokens = table.tokens.to(device)[index].transpose(0, 1)  # (2, B, T)
    compared = table.compared[list(rows)].to(device)  # (B, T)
    ratios = log_ratios(policy, before, compared)
    if fit.credit == "node":
        losses = node_losses(ratios, tokens, compared, fit)
    else:
        losses = direct_loss(ratios, tokens, fit)
    nll = chosen_nll(policy, tokens)
    if fit.anchor:
        losses = losses + fit.anchor * nll
    with torch.no_grad():
        totals = _totals(table.terms, losses, ratios * fit.beta, policy, tokens, nll)
    return losses, totals


def _totals(
    terms: tuple[str, ...],
    losses: Tensor,
    rewards: Tensor,
    policy: Tensor,
    tokens: Tensor,
    nll: Tensor,
) -> Totals:
    """Metrics under TRL's names; `.../NODE` for one term. rewards, policy, tokens: [2, B, T]."""
    scored = tokens > 0
    every = torch.ones_like(losses)
    columns: list[tuple[str, Tensor, Tensor]] = [("loss", losses, every)]
    columns += _rewards("", rewards.sum(-1), every)
    columns += [
        ("logps/chosen", policy[0].sum(-1), every),
        ("logps/rejected", policy[1].sum(-1), every),
        ("nll/chosen", nll, tokens[0].sum(-1) > 0),
    ]
    for t, name in enumerate(terms):
        columns += _rewards(f"/{name}", rewards[..., t], every)
        columns += [
            (f"logps/{side}/{name}", policy[s, :, t], scored[s, :, t])
            for s, side in enumerate(("chosen", "rejected"))
        ]
    weights = torch.stack([weight.float() for _, _, weight in columns])  # (M, B)
    values = torch.stack([value.float() for _, value, _ in columns])
    names = tuple(name for name, _, _ in columns)
    return Totals(names, (values * weights).sum(1), weights.sum(1))


def _rewards(suffix: str, rewards: Tensor, every: Tensor) -> list[tuple[str, Tensor, Tensor]]:
    """rewards: [2, B]."""
    margin = rewards[0] - rewards[1]
    return [
        (f"rewards/chosen{suffix}", rewards[0], every),
        (f"rewards/rejected{suffix}", rewards[1], every),
        (f"rewards/accuracies{suffix}", (margin > 0).float(), every),
        (f"rewards/margins{suffix}", margin, every),
    ]
