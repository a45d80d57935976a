"""One batch of pairs through the Direct objective, without leaving the device."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from sysgraph_schemas import Fit

from ..engines import Request
from ..engines.choices import Score
from ..objectives import chosen_nll, direct_loss, log_ratios, node_losses
from ..support.device import moved
from ..system import System
from .pairs import PairTable
from .totals import Column, Totals


@dataclass(frozen=True)
class Terms:
    """The terms of a batch that no unobserved value enters.

    Args:
        policy: [2, B, T] log p, nats, 0 where a side has nothing to score.
        reference: [2, B, T] log p_ref.
        tokens: [2, B, T] scored tokens; an image counts as one.
        compared: [B, T] whether the term's ratio counts.
        exact: [T] whether the term is a log-likelihood, and no bound in a scale of its own.
    """

    policy: Tensor
    reference: Tensor
    tokens: Tensor
    compared: Tensor
    exact: Tensor

    @property
    def ratios(self) -> Tensor:
        """Log p/p_ref: [2, B, T]."""
        return log_ratios(self.policy, self.reference, self.compared)

    def of(self, rows: Tensor) -> "Terms":
        """Some of the batch's pairs; rows: [b] long."""
        parts = (self.policy[:, rows], self.reference[:, rows], self.tokens[:, rows])
        return Terms(*parts, self.compared[rows], self.exact)

    @property
    def lengths(self) -> Tensor:
        """Tokens of the chosen side's texts and choices: [B, T]."""
        return self.likelihoods()[1][0]

    def likelihoods(self) -> tuple[Tensor, Tensor]:
        """`policy` and `tokens` with 0 for bounds: a likelihood per token has no use for them."""
        return self.policy.where(self.exact, 0), self.tokens.where(self.exact, 0)


class Batch:
    """Visits of a table: `requests` are to be scored, in one call with whatever else there is.

    The last of them, `renewed`, have noise of their own, so that their reference is still to be
    scored too.
    """

    def __init__(self, table: PairTable, visits: Sequence[int]) -> None:
        nothing = len(table.requests)
        self._table = table
        self._rows = [visit % len(table) for visit in visits]
        self._index = table.at(visits)  # (B, 2, T)
        renewed = table.renewed & (self._index < nothing)
        used, position = self._index.masked_fill(renewed, nothing).unique(return_inverse=True)
        self._kept = used[used < nothing]
        ids: dict[Request, int] = {}
        where = renewed.nonzero().tolist()
        for (b, side, t), number in zip(where, self._index[renewed].tolist(), strict=True):
            request = table.renewal(visits[b], t, number)
            position[b, side, t] = len(self._kept) + 1 + ids.setdefault(request, len(ids))
        self._position = position
        self.renewed: list[Request] = list(ids)
        self.requests = [*(table.requests[r] for r in self._kept.tolist()), *self.renewed]

    def terms(self, values: Tensor, reference: Tensor, renewed: Tensor) -> Terms:
        """The batch's terms.

        Args:
            values: [len(requests)] log p.
            reference: [R + 1] log p_ref of every request of the table, 0 at R.
            renewed: [len(renewed)] log p_ref.
        """
        device = reference.device
        kept, position = moved(self._kept, device), moved(self._position, device)
        # The position between the two kinds of values stands for "nothing to score".
        zero = values.new_zeros(1)
        policy = torch.cat([values[: len(kept)], zero, values[len(kept) :]])
        before = torch.cat([reference[kept], zero, renewed])
        return Terms(
            policy[position].transpose(0, 1),
            before[position].transpose(0, 1),
            moved(self._table.tokens[self._index], device).transpose(0, 1),
            moved(self._table.compared[self._rows], device),
            moved(self._table.exact, device),
        )


class Observed:
    """The losses of visits of a table none of which has gaps, but for the policy's values.

    Args:
        reference: [R + 1] the reference's log p of every request of the table, 0 at R.

    Attributes:
        requests: whose log p under the policy the losses are a function of.
    """

    def __init__(
        self, system: System, table: PairTable, visits: Sequence[int], reference: Tensor
    ) -> None:
        self._system, self._table, self._reference = system, table, reference
        self._batch = Batch(table, visits)
        self.requests = self._batch.requests

    def losses(self, score: Score, length: Tensor | None = None) -> tuple[Tensor, Totals]:
        """The losses, [B], and their metrics.

        Args:
            score: gives the policy's log p of requests; asked once, after all that needs no graph.
            length: see `observed_losses`.
        """
        fit = self._system.program.fit
        renewed = self._system.score(self._batch.renewed, reference=True)
        terms = self._batch.terms(score(self.requests), self._reference, renewed)
        losses, nll = observed_losses(terms, fit, length)
        with torch.no_grad():
            columns = observed_columns(self._table.terms, losses, nll, terms, fit)
        return losses, Totals.of(columns)


def observed_losses(terms: Terms, fit: Fit, length: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """The loss of each pair, [B], and the chosen side's negative log-likelihood per token, [B].

    The latter is of texts and choices: an image has a bound, in a scale of its own.

    Args:
        length: the mean tokens of the chosen sides, [] (`credit: node`: of each term, [T]), of the
            batch that these pairs are a part of, which `loss: sft` divides by; default: of these.
    """
    policy, tokens = terms.likelihoods()
    nll = chosen_nll(policy, tokens)
    ratios, each, lengths = terms.ratios, -policy[0], terms.lengths  # (B, T)
    if fit.credit == "node":
        each = per_length(each, lengths.mean(0) if length is None else length)
        losses = node_losses(ratios, terms.tokens, terms.compared, fit, each)
    else:
        whole = lengths.sum(-1).mean() if length is None else length
        losses = direct_loss(ratios, terms.tokens, fit, per_length(each.sum(-1), whole))
    if fit.anchor:
        losses = losses + fit.anchor * nll
    return losses, nll


def per_length(values: Tensor, length: Tensor) -> Tensor:
    """`values` divided by a batch's mean length, which is 0 where all values are."""
    return values / length.masked_fill(length == 0, 1)


def observed_columns(
    names: tuple[str, ...], losses: Tensor, nll: Tensor, terms: Terms, fit: Fit
) -> list[Column]:
    """Metrics under TRL's names: means over pairs; log-probabilities of what was scored."""
    every = torch.ones_like(losses)
    rewards = terms.ratios * fit.beta
    policy, (_, tokens) = terms.policy, terms.likelihoods()
    return [
        ("loss", losses, every),
        *reward_columns("", rewards.sum(-1), every, every),
        ("logps/chosen", policy[0].sum(-1), every),
        ("logps/rejected", policy[1].sum(-1), every),
        ("nll/chosen", nll, tokens[0].sum(-1) > 0),
        ("scored_tokens", terms.tokens.sum((0, 2)), every),
        *term_columns(names, terms, fit.beta, torch.ones_like(terms.compared)),
    ]


def term_columns(
    names: tuple[str, ...], terms: Terms, beta: float, apart: Tensor
) -> Iterator[Column]:
    """Metrics of single terms, `.../NODE`.

    A term that cancels has margin 0 and no accuracy, so that the margins of all nodes sum to the
    system's.

    Args:
        apart: [B, T] whether the term stands outside any sum over unobserved values.
    """
    rewards, scored = terms.ratios * beta, terms.tokens > 0
    for t, name in enumerate(names):
        judged = terms.compared[:, t]
        yield from reward_columns(f"/{name}", rewards[..., t], apart[:, t], judged)
        for s, side in enumerate(("chosen", "rejected")):
            yield f"logps/{side}/{name}", terms.policy[s, :, t], scored[s, :, t]


def reward_columns(suffix: str, rewards: Tensor, counted: Tensor, judged: Tensor) -> list[Column]:
    """TRL's names. rewards: [2, B]; counted, judged: [B]."""
    margin = rewards[0] - rewards[1]
    return [
        (f"rewards/chosen{suffix}", rewards[0], counted),
        (f"rewards/rejected{suffix}", rewards[1], counted),
        (f"rewards/accuracies{suffix}", (margin > 0).float(), judged),
        (f"rewards/margins{suffix}", margin, counted),
    ]
