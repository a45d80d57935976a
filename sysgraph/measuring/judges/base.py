"""What a judge is asked, and what it says."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, runtime_checkable

from ...traces.trace import Given

Verdict = Literal["a", "b", "tie"]
"""Which answer is better."""


@dataclass(frozen=True)
class Comparison:
    """Two answers to the same inputs, in the order in which they are shown.

    `extra` holds the input row's other fields.
    """

    inputs: Mapping[str, Given]
    a: str
    b: str
    extra: Mapping[str, Any] = field(default_factory=dict)


@runtime_checkable
class Judge(Protocol):
    """Compares answers. The order they are shown in may sway it: `win_rate` asks both.

    What scores each answer by itself is no Judge but a Scorer.
    """

    @property
    def name(self) -> str:
        """What reports call it."""

    def compare(
        self, comparisons: Sequence[Comparison], *, advance: Callable[[int], None]
    ) -> list[Verdict | None]:
        """A verdict each; None where the judge gave none that can be used.

        Args:
            advance: told the number of comparisons done, as they are.
        """
