"""What is summed over for the pairs of a batch: every term of every trajectory, as indices."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from ..latent import Drawn, Gaps, Summand, inside
from ..support.device import moved, on_device
from ..support.errors import RunError
from ..system import System
from .pairs import PairTable

_NEVER = float("-inf")


class Summands:
    """The joint log-probabilities of up to A trajectories for each of B pairs with gaps.

    Requests are there once, however many trajectories and sides share them: `trained` ones change
    with every step, `frozen` ones with none.

    Args:
        rows: of `table`, each with gaps; may be empty.
        drawn: the trajectories of each of them.

    Raises:
        RunError: a drawn value gives a request that its model cannot score.
    """

    def __init__(
        self,
        system: System,
        table: PairTable,
        rows: Sequence[int],
        drawn: Mapping[int, Drawn],
    ) -> None:
        pairs = [(gaps, row) for row in rows if (gaps := table.gaps[row]) is not None]
        self.gaps = [gaps for gaps, _ in pairs]
        size = max((len(drawn[row]) for row in rows), default=0)
        cells = [
            cell
            for side in (0, 1)
            for gaps, row in pairs
            for cell in _cells(system, gaps, table.sources[row], side, drawn[row], size)
        ]  # (2 * B * A,)
        found = {r: name for cell in cells if cell for name, r in cell.terms.items()}
        plans = [gaps.plan.policy.items() for gaps in self.gaps]
        moving = {name for plan in plans for name, when in plan if when == "every step"}
        self.trained = [request for request, name in found.items() if name in moving]
        self.frozen = [request for request, name in found.items() if name not in moving]
        ids = {request: i for i, request in enumerate([*self.trained, *self.frozen])}
        latent = [set(gaps.plan.latent) for gaps in self.gaps for _ in range(size)] * 2
        possible = [cell if cell and cell.possible else None for cell in cells]
        self._shape = (2, len(pairs), size)
        self._terms = [[ids[r] for r in c.terms.values()] if c else None for c in possible]
        self._latent = [
            [ids[r] for name, r in c.terms.items() if name in names] if c else None
            for c, names in zip(cells, latent, strict=True)
        ]
        self._places = [
            {name: ids[r] for name, r in c.terms.items()} if c else {} for c in possible
        ]
        # As in Direct, what is frozen has no length: no loss divides by it.
        lengths = [system.length(r) for r in self.trained] + [0] * len(self.frozen)
        self.tokens = self._sum(
            self._terms, on_device(lengths, system.device, torch.float32)
        )  # (2, B, A)
        self.draws, self.log_q = _weights(
            [drawn[row] for row in rows], size, system.device
        )  # (B, A)

    def joint(self, values: Tensor) -> Tensor:
        """Log p(y_a, z | x): [2, B, A], nats; -inf where y_a cannot give z, or is not there.

        Args:
            values: [len(trained) + len(frozen)] log-probabilities.
        """
        return self._log_prob(self._terms, values)

    def by_term(self, values: Tensor, names: Sequence[str]) -> Tensor:
        """Those terms' own values: [2, B, A, len(names)]; 0 where a trajectory has none.

        Args:
            values: as `joint` takes them.
        """
        nothing = len(values)
        index = [[cell.get(name, nothing) for name in names] for cell in self._places]
        at = on_device(index, values.device, torch.long)
        found = torch.cat([values, values.new_zeros(1)])[at.view(-1, len(names))]
        return found.view(*self._shape, len(names))

    def fixed(self, values: Tensor) -> Tensor:
        """The frozen models' part of `joint`: [2, B, A]; 0 where that has none."""
        trained = values[: len(self.trained)]
        return self._sum(
            self._terms, torch.cat([torch.zeros_like(trained), values[len(trained) :]])
        )

    def prior(self, values: Tensor) -> Tensor:
        """Log p(y_a | x) as each side has it: [2, B, A]; -inf where y_a is no trajectory of it."""
        return self._log_prob(self._latent, values)

    def _log_prob(self, index: Sequence[list[int] | None], values: Tensor) -> Tensor:
        none = torch.tensor([positions is None for positions in index]).view(self._shape)
        return self._sum(index, values).masked_fill(moved(none, values.device), _NEVER)

    def _sum(self, index: Sequence[list[int] | None], values: Tensor) -> Tensor:
        """The sum of the values at each cell's positions: [2, B, A]; 0 where it has none."""
        width = max((len(positions or ()) for positions in index), default=0)
        padded = [(p or []) + [len(values)] * (width - len(p or ())) for p in index]
        at = on_device(padded, values.device, torch.long)
        values = torch.cat([values, values.new_zeros(1)])
        return values[at.view(len(padded), width)].sum(-1).view(self._shape)


def _cells(
    system: System, gaps: Gaps, source: str, side: int, drawn: Drawn, size: int
) -> list[Summand | None]:
    """One side of one pair: [size]."""
    cells: list[Summand | None] = []
    for one in drawn:
        cell = inside(system.program, gaps, side, one.values)
        for name, request in cell.terms.items() if cell else ():
            problem = system.problem(request)
            if problem is not None:
                said = ", ".join(f"{v} {c.text!r:.60}" for v, c in one.values.items())
                raise RunError(
                    f"{source}: {name}, with the drawn {said}: {problem}. Lower `max_new_tokens` "
                    "of the models that draw, or leave the pair out"
                )
        cells.append(cell)
    return cells + [None] * (size - len(drawn))


def _weights(
    drawn: Sequence[Drawn], size: int, device: torch.device
) -> tuple[Tensor, Tensor | None]:
    """How often each was drawn, [B, A], and log q, [B, A]; None without `importance`."""
    draws = torch.tensor([[t.draws for t in d] + [0] * (size - len(d)) for d in drawn])
    if any(one.log_q is None for several in drawn for one in several):
        return moved(draws, device), None
    log_q = [[t.log_q or 0.0 for t in d] + [0.0] * (size - len(d)) for d in drawn]
    return moved(draws, device), on_device(log_q, device, torch.float32)
