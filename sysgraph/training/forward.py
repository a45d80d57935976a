"""One batch of pairs through the objective: losses and metrics, without leaving the device."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from sysgraph_schemas import Fit

from ..objectives import chosen_nll, direct_loss, log_ratios, node_losses
from ..system import System
from .pairs import PairTable


@dataclass(frozen=True)
class Totals:
    """Sums and counts of metrics over pairs; added up over batches and processes, then divided."""

    names: tuple[str, ...]
    sums: Tensor  # (M,)
    counts: Tensor  # (M,)

    def __add__(self, other: "Totals") -> "Totals":
        return Totals(self.names, self.sums + other.sums, self.counts + other.counts)

    def means(self) -> dict[str, float]:
        """Mean of every metric that was seen at all."""
        pairs = zip(self.names, self.sums.tolist(), self.counts.tolist(), strict=True)
        return {name: total / count for name, total, count in pairs if count}

    def over(self, reduce: Callable[[Tensor], Tensor]) -> "Totals":
        """Sums and counts as `reduce` makes them, of all processes for `Workers.sum`."""
        return Totals(self.names, reduce(self.sums), reduce(self.counts))

    def to_json(self) -> dict[str, list[float]]:
        """[sum, count] by name: a float32 is the same after a way through JSON."""
        pairs = zip(self.sums.tolist(), self.counts.tolist(), strict=True)
        return {name: list(pair) for name, pair in zip(self.names, pairs, strict=True)}

    @classmethod
    def from_json(cls, saved: Mapping[str, Sequence[float]], device: torch.device) -> "Totals":
        """Reads what `to_json` wrote."""
        values = torch.tensor(list(saved.values()), dtype=torch.float32, device=device)
        return cls(tuple(saved), values[:, 0], values[:, 1])


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
        totals = _totals(table.terms, losses, ratios * fit.beta, policy, tokens, compared, nll)
    return losses, totals


def _totals(
    terms: tuple[str, ...],
    losses: Tensor,
    rewards: Tensor,
    policy: Tensor,
    tokens: Tensor,
    compared: Tensor,
    nll: Tensor,
) -> Totals:
    """Metrics under TRL's names, `.../NODE` for one term: means over pairs.

    A term that cancels has margin 0 and no accuracy, so that the margins of all nodes sum to the
    system's; log-probabilities are of the terms that were scored.

    Args:
        losses: [B].
        rewards: [2, B, T], as are `policy` and `tokens`.
        compared: [B, T].
        nll: [B].
    """
    scored = tokens > 0
    every = torch.ones_like(losses)
    columns: list[tuple[str, Tensor, Tensor]] = [("loss", losses, every)]
    columns += _rewards("", rewards.sum(-1), every, every)
    columns += [
        ("logps/chosen", policy[0].sum(-1), every),
        ("logps/rejected", policy[1].sum(-1), every),
        ("nll/chosen", nll, tokens[0].sum(-1) > 0),
    ]
    for t, name in enumerate(terms):
        columns += _rewards(f"/{name}", rewards[..., t], every, compared[:, t])
        columns += [
            (f"logps/{side}/{name}", policy[s, :, t], scored[s, :, t])
            for s, side in enumerate(("chosen", "rejected"))
        ]
    weights = torch.stack([weight.float() for _, _, weight in columns])  # (M, B)
    values = torch.stack([value.float() for _, value, _ in columns])
    names = tuple(name for name, _, _ in columns)
    return Totals(names, (values * weights).sum(1), weights.sum(1))


def _rewards(
    suffix: str, rewards: Tensor, every: Tensor, judged: Tensor
) -> list[tuple[str, Tensor, Tensor]]:
    """Columns of (name, values, weights). rewards: [2, B]; every, judged: [B]."""
    margin = rewards[0] - rewards[1]
    return [
        (f"rewards/chosen{suffix}", rewards[0], every),
        (f"rewards/rejected{suffix}", rewards[1], every),
        (f"rewards/accuracies{suffix}", (margin > 0).float(), judged),
        (f"rewards/margins{suffix}", margin, every),
    ]
