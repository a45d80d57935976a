"""What a loss is a function of."""

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Sides:
    """The two sides of each preference; [...] is [B], or [B, T] where each node has its own loss.

    Args:
        chosen: [...] log p/p_ref of the preferred side, nats.
        rejected: [...] the same of the other side.
        tokens: [2, ...] scored tokens of each side.
        nll: [...] chosen's negative log-likelihood per token, nats; None where no loss reads it.
    """

    chosen: Tensor
    rejected: Tensor
    tokens: Tensor
    nll: Tensor | None = None

    @property
    def margin(self) -> Tensor:
        """Log p/p_ref of chosen minus that of rejected: [...]."""
        return self.chosen - self.rejected

    @property
    def margin_per_token(self) -> Tensor:
        """The same with each side divided by its own length: [...]."""
        tokens = self.tokens.clamp(min=1)
        return self.chosen / tokens[0] - self.rejected / tokens[1]
