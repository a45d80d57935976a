"""A trajectory: one value for each latent variable of a pair."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

from ..traces.trace import Completion


@dataclass(frozen=True)
class Trajectory:
    """A joint value of a pair's latent variables, and how it was drawn.

    Args:
        values: by variable; without those that did not come to be, and without the branch that an
            observed selection takes: that one has the selection's value.
        draws: how often it was drawn.
        log_q: log-probability under the distribution that drew it, nats; for `importance`.
    """

    values: Mapping[str, Completion]
    draws: int = 1
    log_q: float | None = None

    def to_json(self) -> dict[str, Any]:
        """What `from_json` reads."""
        values = {name: [value.text, value.ids] for name, value in self.values.items()}
        return {"values": values, "log_q": self.log_q, "draws": self.draws}

    @classmethod
    def from_json(cls, saved: Mapping[str, Any]) -> Self:
        """Reads what `to_json` wrote."""
        values = {
            name: Completion(text, None if ids is None else tuple(ids))
            for name, (text, ids) in saved["values"].items()
        }
        return cls(values, saved["draws"], saved["log_q"])


def distinct(found: Iterable[Trajectory]) -> tuple[Trajectory, ...]:
    """Each trajectory once, in the order of their first draws."""
    out: dict[frozenset[tuple[str, Completion]], Trajectory] = {}
    for one in found:
        key = frozenset(one.values.items())
        draws = one.draws + (out[key].draws if key in out else 0)
        out[key] = replace(out.get(key, one), draws=draws)
    return tuple(out.values())
