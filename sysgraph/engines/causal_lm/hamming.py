"""Hamming diversity (arXiv 1610.02424, section 4.1): what a token costs for having been taken."""

from collections.abc import Sequence

import torch
from torch import Tensor

from .beam_candidates import Best
from .beam_settings import BeamSettings


class Hamming:
    """At one step: how many beams of earlier groups took each token, of each prompt.

    Args:
        prompts: those whose search goes on.
        log_probs: [R, V], for type and device.
    """

    def __init__(self, settings: BeamSettings, prompts: set[int], log_probs: Tensor) -> None:
        self._settings = settings
        self._prompts = prompts
        self._taken: Tensor | None = None  # (prompts, V)
        if settings.diversity_penalty:
            self._taken = log_probs.new_zeros(max(prompts) + 1, log_probs.shape[-1])

    def charged(self, scores: Tensor, prompts: Sequence[int]) -> Tensor:
        """`scores` [G, beams, V] of groups of these prompts, less what each token costs."""
        if self._taken is None:
            return scores
        return scores - self._settings.diversity_penalty * self._taken[list(prompts)][:, None]

    def count(self, prompts: Sequence[int], candidates: Best) -> None:
        """Counts the tokens with which each group's best unfinished texts go on, one a beam.

        Args:
            prompts: [G], of each group.
            candidates: of the groups.
        """
        if self._taken is None:
            return
        values, tokens, _, ended = candidates
        best = ended.int().argsort(dim=1, stable=True)[:, : self._settings.size]
        goes_on = values.isfinite() & ~ended
        prompt = torch.tensor(prompts, device=tokens.device)
        self._taken.index_put_(
            (prompt[:, None], tokens.gather(1, best)),
            goes_on.gather(1, best).to(self._taken.dtype),
            accumulate=True,
        )

    def count_stopped(self, prompts: Sequence[int]) -> None:
        """Counts `pad` for the group of every prompt but these: it has stopped."""
        stopped = sorted(self._prompts.difference(prompts))
        if self._taken is not None and self._settings.pad is not None and stopped:
            self._taken[stopped, self._settings.pad] += self._settings.size
