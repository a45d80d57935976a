"""What a beam search is asked for."""

from collections.abc import Sequence
from dataclasses import dataclass

from .stopping import StopStrings


@dataclass(frozen=True, kw_only=True)
class BeamSettings:
    """Settings of `beam_search`, the same for all its prompts.

    Args:
        beams: in all, and so texts wanted of each prompt.
        groups: a divisor of `beams`; 1 is plain beam search.
        diversity_penalty: nats, see `Hamming`.
        max_new_tokens: at which texts are cut.
        pad: the token that a group which has stopped counts as picking with all its beams at every
            later step, as in transformers; None: it picks nothing.
        ends: end-of-sequence tokens.
        stops: strings that end a text like an end-of-sequence token; None: there are none.
        length_penalty: the power of its length by which a text's score is divided.
    """

    beams: int
    groups: int
    diversity_penalty: float
    max_new_tokens: int
    pad: int | None
    ends: Sequence[int]
    stops: StopStrings | None = None
    length_penalty: float = 1.0

    @property
    def size(self) -> int:
        """Beams of a group."""
        return self.beams // self.groups

    def score(self, total: float, length: int) -> float:
        """What ranks a text of `length` tokens.

        Args:
            total: its log-probability less what diversity cost it, in nats.
        """
        scaled: float = total / length**self.length_penalty
        return scaled
