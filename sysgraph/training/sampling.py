"""One batch of pairs through SysDPO-Sampling (arXiv 2502.17721, section 2.3; appendix B, eq. 9).

    log p(z | x) = logsumexp_a log p(y_a, z | x)  +  the terms that no unobserved value enters

Pairs without gaps go through Direct, in the same calls of the models.
"""

from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor

from ..engines.choices import Score
from ..latent import Drawn
from ..objectives import (
    covered_mass,
    distinct_samples,
    effective_samples,
    marginal_log_prob,
    marginal_nll,
    posterior_mean,
    posterior_weights,
    prefer_different,
    sampling_loss,
    usable,
)
from ..objectives.credit import credit_weights
from ..support.device import moved, on_device
from ..system import System
from .direct import (
    Batch,
    Terms,
    observed_columns,
    observed_losses,
    per_length,
    reward_columns,
    term_columns,
)
from .pairs import PairTable
from .reference_cache import ReferenceCache
from .summands import Summands
from .totals import Column, Totals

_DIAGNOSTICS = ("distinct", "ess", "covered_mass", "prefers_other", "skipped")


class Marginal:
    """The losses of visits of a table, some of which have gaps, but for the policy's values.

    Args:
        reference: [R + 1] the reference's log p of every request of the table, 0 at R.
        drawn: the trajectories of each row with gaps.
        remembered: scores what no step changes.

    Attributes:
        requests: whose log p under the policy the losses are a function of.
    """

    def __init__(
        self,
        system: System,
        table: PairTable,
        visits: Sequence[int],
        reference: Tensor,
        drawn: Mapping[int, Drawn],
        remembered: ReferenceCache,
    ) -> None:
        self._system, self._table, self._visits = system, table, visits
        self._reference, self._drawn, self._remembered = reference, drawn, remembered
        rows = [visit % len(table) for visit in visits]
        self._whole = [i for i, row in enumerate(rows) if table.gaps[row] is None]
        self._summed = [i for i, row in enumerate(rows) if table.gaps[row] is not None]
        self._batch = Batch(table, visits)
        self._sums = Summands(system, table, [rows[i] for i in self._summed], drawn)
        self.requests = [*self._batch.requests, *self._sums.trained]

    def losses(self, score: Score, length: Tensor | None = None) -> tuple[Tensor, Totals]:
        """The losses, [B], and their metrics.

        Args:
            score: gives the policy's log p of requests; asked once, after all that needs no graph.
            length: the mean of `chosen_lengths` over the batch that the visits are a part of, for
                `loss: sft`; default: over these.
        """
        system, table, sums = self._system, self._table, self._sums
        if length is None and system.program.fit.reads_likelihood:
            drawn, remembered = self._drawn, self._remembered
            length = chosen_lengths(system, table, self._visits, drawn, remembered).mean()
        renewed = system.score(self._batch.renewed, reference=True)
        before = self._remembered.log_prob([*sums.trained, *sums.frozen])
        values = score(self.requests)
        observed = len(self._batch.requests)
        terms = self._batch.terms(values[:observed], self._reference, renewed)
        places = [*self._whole, *self._summed]
        order = on_device(places, values.device, torch.long)
        count = len(self._whole)
        losses, totals = _whole(system, table, terms.of(order[:count]), length)
        if self._summed:
            trained = values[observed:]
            after = torch.cat([trained, before[len(trained) :]])
            part = Part(system, table, sums, terms.of(order[count:]))
            more, others = part.losses(after, before, length)
            losses, totals = torch.cat([losses, more])[order.argsort()], totals + others
        return losses, totals


@torch.no_grad()
def chosen_lengths(
    system: System,
    table: PairTable,
    visits: Sequence[int],
    drawn: Mapping[int, Drawn],
    remembered: ReferenceCache,
) -> Tensor:
    """Tokens of each visit's chosen side, of texts and choices that are trained: [B].

    Where some are summed over, their mean under the reference (see `posterior_mean`).
    """
    rows = [visit % len(table) for visit in visits]
    lengths = moved(table.chosen_lengths(visits).sum(-1), system.device)
    summed = [i for i, row in enumerate(rows) if table.gaps[row] is not None]
    if summed:
        sums = Summands(system, table, [rows[i] for i in summed], drawn)
        joint = sums.joint(remembered.log_prob([*sums.trained, *sums.frozen]))
        weights = {"log_q": sums.log_q, "draws": sums.draws}
        inside = posterior_mean(joint, sums.tokens, **weights)[0]
        kept = usable(joint, joint, **weights)
        at = on_device(summed, system.device)
        lengths[at] = torch.where(kept, lengths[at] + inside, torch.zeros_like(inside))
    return lengths


def _whole(
    system: System, table: PairTable, terms: Terms, length: Tensor | None
) -> tuple[Tensor, Totals]:
    """Pairs without gaps: their losses, [b], and metrics under the names that others have."""
    losses, nll = observed_losses(terms, system.program.fit, length)
    with torch.no_grad():
        columns = observed_columns(table.terms, losses, nll, terms, system.program.fit)
        none = torch.zeros_like(losses)
        columns += _diagnostics([none] * len(_DIAGNOSTICS), none)
        ratios, every = terms.ratios, torch.ones_like(losses)
        columns += _credit(table, ratios, ratios.abs(), system.program.fit.beta, every)
        return losses, Totals.of(columns)


class Part:
    """The pairs of a batch that have gaps."""

    def __init__(self, system: System, table: PairTable, sums: Summands, terms: Terms) -> None:
        self._fit, self._table, self._sums, self._terms = system.program.fit, table, sums, terms
        self._drawn = {"log_q": sums.log_q, "draws": sums.draws}

    def losses(self, after: Tensor, before: Tensor, length: Tensor | None) -> tuple[Tensor, Totals]:
        """The losses, [b], and metrics.

        Args:
            after: log p of the sums' requests, nats, `trained` before `frozen`.
            before: log p_ref of the same.
            length: mean tokens of the batch's chosen sides; see `Marginal.losses`.
        """
        fit, terms, drawn = self._fit, self._terms, self._drawn
        inside = self._sums.joint(after)  # (2, b, A)
        policy = inside + _compared(terms.policy, terms)
        reference = self._sums.joint(before) + _compared(terms.reference, terms)
        kept = usable(policy, reference, **drawn)  # (b,)
        lengths = self._sums.tokens + terms.tokens.sum(-1, keepdim=True)
        tokens = posterior_mean(reference, lengths, **drawn)  # (2, b)
        fixed = posterior_mean(reference, self._sums.fixed(before), **drawn)
        nll, counted = self._nll(inside, tokens, fixed)
        likelihood = None if length is None else per_length(nll * counted, length)
        losses = sampling_loss(policy, reference, tokens, fit, **drawn, nll=likelihood)
        if fit.anchor:
            losses = losses + torch.where(kept, fit.anchor * nll, torch.zeros_like(nll))
        with torch.no_grad():
            moved = marginal_log_prob(policy, **drawn) - marginal_log_prob(reference, **drawn)
            everything = inside + terms.policy.sum(-1, keepdim=True)
            log_probs = marginal_log_prob(everything, **drawn)
            columns = [
                ("loss", losses, kept),
                *reward_columns("", moved * fit.beta, kept, kept),
                ("logps/chosen", log_probs[0], kept),
                ("logps/rejected", log_probs[1], kept),
                ("nll/chosen", nll, kept),
                ("scored_tokens", self._scored_tokens(), torch.ones_like(losses)),
                *term_columns(self._table.terms, terms, fit.beta, self._apart()),
                *self._quality(after, policy, kept),
                *_credit(
                    self._table, *self._shares(after - before, policy, reference), fit.beta, kept
                ),
            ]
            return losses, Totals.of(columns)

    def _nll(self, inside: Tensor, tokens: Tensor, fixed: Tensor) -> tuple[Tensor, Tensor]:
        """The chosen side's negative log-likelihood per token, and tokens, without bounds: [b].

        As in Direct, without what is frozen (`fixed`, its mean, [2, b]): it has no tokens either.
        """
        outside, counted = self._terms.likelihoods()
        bounds = (self._terms.tokens - counted).sum(-1)  # (2, b)
        joint = inside + outside.sum(-1, keepdim=True) - fixed.unsqueeze(-1)
        lengths = tokens - bounds
        return marginal_nll(joint, lengths, **self._drawn), lengths[0].clamp(min=1)

    def _scored_tokens(self) -> Tensor:
        """Of both sides and every trajectory: [b]."""
        return self._sums.tokens.sum((0, 2)) + self._terms.tokens.sum((0, 2))

    def _apart(self) -> Tensor:
        """Whether each term stands outside the pair's sum: [b, T]."""
        apart = [[t not in gaps.plan.summed for t in self._table.terms] for gaps in self._sums.gaps]
        return on_device(apart, self._terms.compared.device)

    def _shares(self, ratios: Tensor, policy: Tensor, reference: Tensor) -> tuple[Tensor, Tensor]:
        """Each term's share of the sides' log-ratios, and of their sizes: [2, b, T] each.

        See `objectives.credit`.
        """
        weights = credit_weights(policy, reference, **self._drawn).unsqueeze(-1)  # (2, b, A, 1)
        found = self._sums.by_term(ratios, self._table.terms)
        inside = torch.where(weights > 0, weights * found, torch.zeros_like(found))
        outside = self._terms.ratios
        return inside.sum(-2) + outside, inside.abs().sum(-2) + outside.abs()

    def _quality(self, after: Tensor, policy: Tensor, kept: Tensor) -> list[Column]:
        weights = posterior_weights(policy, **self._drawn)  # (2, b, A)
        values = [
            distinct_samples(self._sums.draws),
            effective_samples(weights).mean(0),
            covered_mass(self._sums.prior(after)).mean(0),
            prefer_different(weights),
            ~kept,
        ]
        return _diagnostics(values, torch.ones_like(kept))


def _compared(values: Tensor, terms: Terms) -> Tensor:
    """What the terms outside the sum that differ between the sides add to it: [2, b, 1]."""
    return torch.where(terms.compared, values, torch.zeros_like(values)).sum(-1, keepdim=True)


def _credit(
    table: PairTable, shares: Tensor, moved: Tensor, beta: float, counted: Tensor
) -> Iterator[Column]:
    """Each term's share of the margin, which sum to it, and how far it moved, nats.

    Args:
        shares: [2, b, T] of log-ratios.
        moved: [2, b, T] of their sizes.
        counted: [b].
    """
    margins, sizes = beta * (shares[0] - shares[1]), moved.mean(0)
    for t, name in enumerate(table.terms):
        yield f"credit/{name}", margins[:, t], counted
        yield f"moved/{name}", sizes[:, t], counted


def _diagnostics(values: Sequence[Tensor], counted: Tensor) -> list[Column]:
    return [(f"sampling/{n}", v, counted) for n, v in zip(_DIAGNOSTICS, values, strict=True)]
