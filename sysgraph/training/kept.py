"""Which weights a run ended with, and whether they are other ones than it began with."""

from collections.abc import Sequence

from pydantic import BaseModel


class Kept(BaseModel):
    """The weights that a round ended with: those after `step` of its `steps` steps.

    `loss`: on held-out pairs, the lowest of the round.
    """

    round: int
    step: int
    steps: int
    loss: float

    def __str__(self) -> str:
        where = f"round {self.round}: " if self.round else ""
        if self.step == 0:
            return (
                f"warning: {where}no step lowered the loss on held-out pairs ({self.loss:.4f} "
                "before the first): went back to the weights from before, nothing was learned here"
            )
        if self.step == self.steps:
            return f"{where}the last step has the lowest loss on held-out pairs, {self.loss:.4f}"
        return (
            f"{where}went back to the weights after step {self.step} of {self.steps}, which have "
            f"the lowest loss on held-out pairs, {self.loss:.4f}"
        )


def learned_nothing(kept: Sequence[Kept], rounds: int, best_round: int | None) -> bool:
    """Whether the run ends with the weights that it began with.

    Args:
        kept: what the rounds ended with, of those that held pairs out.
        rounds: of the run, 0 for a single training.
        best_round: after which one the weights did best on held-out inputs; None: the last.
    """
    if best_round == 0:
        return True
    whole = len(kept) == max(1, rounds)
    return whole and all(one.step == 0 for one in kept[:best_round])
