"""The loss of one set of pairs: Direct, and Sampling for the pairs that have gaps."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from ..engines import Request
from ..latent import Drawn, Job, Trajectory, TrajectorySampler
from ..support.progress import Reporter
from ..support.seeding import derive
from ..system import System
from ..system.references import References, shelf
from .adjoint import Adjoint
from .batches import chunks
from .direct import Observed
from .environment import surroundings
from .not_finite import bad_gradient, bad_value, unexplained
from .pairs import PairTable
from .reference_cache import ReferenceCache
from .sampling import Marginal, chosen_lengths
from .totals import Totals
from .workers import Workers

_REQUESTS_PER_CALL = 512
_PAIRS_PER_DRAW = 64


class Objective:
    """A table's pairs with what their losses need: reference values and trajectories.

    Args:
        seed: of the trajectories; with the call of `draw` and the pair it decides each.
        remembered: what is known of the reference that `losses` compare with.
    """

    def __init__(
        self,
        system: System,
        workers: Workers,
        table: PairTable,
        *,
        seed: int,
        remembered: ReferenceCache,
        reporter: Reporter,
    ) -> None:
        self.table = table
        self._system, self._workers, self._reporter = system, workers, reporter
        self._seed, self._remembered = seed, remembered
        self._sampler = TrajectorySampler(system)
        self._reference = torch.zeros(0)  # until `refer`
        self._fixed: dict[int, Drawn] = {}  # pools that no step changes
        self._drawn: dict[int, Drawn] = {}

    def prepare(self, visits: Sequence[int], name: str) -> None:
        """Works out what no step changes: reference values, and draws of frozen models.

        A resumed round does so for all its steps again, in the same passes: so its numbers are the
        same to the bit.

        Args:
            visits: all that `losses` will be asked for, or the first of those that noise repeats.
            name: shown with the progress.
        """
        self.refer(visits, name)
        self.draw_frozen(visits)

    def draw_frozen(self, visits: Sequence[int]) -> None:
        """Draws for those of `visits` for which frozen models alone draw: once for all steps."""
        fixed = [row for row in self._rows(visits) if self._is_fixed(row)]
        self._fixed = self._pools(fixed, "fixed")

    def refer(self, visits: Sequence[int], name: str) -> None:
        """Works out the reference's values for `visits`, in place of all earlier ones."""
        self._reference = torch.zeros(len(self.table.requests) + 1, device=self._workers.device)
        mine = list(self._workers.share(self.table.referenced(visits)))
        references = self._references()
        with torch.no_grad(), self._reporter.task(name, len(mine)) as task:
            for chunk in chunks(mine, _REQUESTS_PER_CALL):
                with self._workers.accelerator.autocast():
                    values = references.log_prob([self.table.requests[r] for r in chunk])
                self._reference[torch.tensor(chunk, device=values.device)] = values
                task.advance(len(chunk))
        self._reference = self._workers.sum(self._reference)
        said = references.tidy()
        if said is not None:
            self._reporter.line(f"{name}: {said}")

    def _references(self) -> References:
        """The reference's values, read from disk where an equal pass left them there."""
        around = surroundings(self._workers, self._system)
        return References(self._system, shelf(self._reporter), around)

    def draw(self, visits: Iterable[int], *key: object) -> None:
        """Draws trajectories for those of `visits` that have gaps, in place of all earlier ones.

        Args:
            key: tells this draw's random numbers from those of others.
        """
        if self.table.has_gaps:  # whatever this process's share of them
            self._system.sync_all()
        wanted = [row for row in self._rows(visits) if self.table.gaps[row] is not None]
        pools = self._pools([row for row in wanted if row not in self._fixed], *key)
        pools = {row: pools[row] if row in pools else self._fixed[row] for row in wanted}
        self._drawn = {}
        for chunk in chunks(wanted, _PAIRS_PER_DRAW):
            with self._workers.accelerator.autocast():
                kept = self._sampler.select(self._jobs(chunk), [pools[row] for row in chunk])
            self._drawn.update(zip(chunk, kept, strict=True))

    def length(self, visits: Sequence[int], count: int) -> Tensor | None:
        """What `loss: sft` divides by: the mean tokens of a batch's chosen sides.

        It is the whole batch's, however processes and micro-batches split it.

        Args:
            visits: this process's share of the batch.
            count: pairs in the batch.

        Returns:
            [], with `credit: node` of each term, [T]; None where nothing needs it.
        """
        fit, table = self._system.program.fit, self.table
        if not fit.reads_likelihood:
            return None
        if fit.credit == "node":
            found = table.chosen_lengths(visits).to(self._workers.device)
        else:
            drawn, remembered = self._drawn, self._remembered
            found = chosen_lengths(self._system, table, visits, drawn, remembered)
        return self._workers.sum(found.sum(0)) / count

    def asked(self, visits: Sequence[int]) -> Observed | Marginal:
        """The losses of `visits`, as a function of the policy's log-probabilities."""
        system, table, reference = self._system, self.table, self._reference
        if table.has_gaps:
            return Marginal(system, table, visits, reference, self._drawn, self._remembered)
        return Observed(system, table, visits, reference)

    def losses(self, visits: Sequence[int], length: Tensor | None = None) -> tuple[Tensor, Totals]:
        """The losses of `visits`, [B], and their metrics, with one graph of all.

        Args:
            length: see `length`, of the batch that `visits` are a part of; default: of `visits`.
        """
        asked = self.asked(visits)
        return asked.losses(self._system.score, length)

    def portions(
        self, visits: Sequence[int], fits: Callable[[Sequence[Request]], bool]
    ) -> Iterator[Observed | Marginal]:
        """`visits` in as few portions as fit; a single one need not.

        Args:
            fits: whether a portion's requests do.
        """
        asked = self.asked(visits)
        if len(visits) < 2 or fits(asked.requests):
            yield asked
            return
        half = -(-len(visits) // 2)
        for part in (visits[:half], visits[half:]):
            yield from self.portions(part, fits)

    def culprit(self, visits: Sequence[int]) -> str:
        """Which of `visits` is not finite, of all processes' together: pair, node and model.

        Asked of a sum that is not finite, and no step is taken after it: gradients are lost.
        """
        system, table, workers = self._system, self.table, self._workers
        with workers.accelerator.autocast():
            found = bad_value(system, table, visits, self._drawn)
        several = workers.gather([found or ""])
        if not any(several) and torch.is_grad_enabled():
            several = [self._bad_gradient(visits) or ""]
        every = workers.gather(list(visits))
        return next(filter(None, several), unexplained(table, every))

    def _bad_gradient(self, visits: Sequence[int]) -> str | None:
        """The first of all processes' visits whose gradient is not finite, one after the other."""
        system, table, workers = self._system, self.table, self._workers
        weights = {model: system.parameters(model) for model in system.trained()}
        terms = system.program.terms
        nodes = {m: [t.variable for t in terms if t.model == m] for m in weights}

        def learn(visit: int) -> Tensor:
            adjoint = Adjoint(system)
            with workers.accelerator.autocast():
                loss = self.asked([visit]).losses(adjoint.score)[0].sum()
                if loss.requires_grad and loss.isfinite():
                    loss.backward()
                    adjoint.backward()
            return loss

        def nothing() -> Tensor:
            return torch.zeros((), device=workers.device)

        for one in workers.gather([(workers.number, visit) for visit in visits]):
            number, visit = one
            mine = partial(learn, visit) if number == workers.number else nothing
            source = table.sources[visit % len(table)]
            found = bad_gradient(weights, source, mine, nodes, workers.sum)
            if found is not None:
                return found
        return None

    # ---- trajectories

    def _rows(self, visits: Iterable[int]) -> list[int]:
        """Each row once."""
        return list(dict.fromkeys(visit % len(self.table) for visit in visits))

    def _pools(self, rows: Sequence[int], *key: object) -> dict[int, Drawn]:
        found: dict[int, Drawn] = {}
        for chunk in chunks(list(rows), _PAIRS_PER_DRAW):
            with self._workers.accelerator.autocast():
                found.update(zip(chunk, self._sampler.pools(self._jobs(chunk, *key)), strict=True))
        return found

    def _jobs(self, rows: Sequence[int], *key: object) -> list[Job]:
        return [
            Job(gaps, derive(self._seed, *key, row), self.table.sources[row])
            for row in rows
            if (gaps := self.table.gaps[row]) is not None
        ]

    def _is_fixed(self, row: int) -> bool:
        """Whether only frozen models draw for this pair."""
        gaps = self.table.gaps[row]
        return gaps is not None and gaps.plan.draws != "every draw"

    # ---- state

    def state(self) -> dict[str, list[dict[str, Any]]]:
        """The trajectories that later steps will use, of all processes, as JSON."""
        mine = [{str(row): [t.to_json() for t in drawn] for row, drawn in self._drawn.items()}]
        return {row: saved for part in self._workers.gather(mine) for row, saved in part.items()}

    def load(self, state: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
        """Goes on from what `state` returned."""
        self._drawn = {
            int(row): tuple(Trajectory.from_json(saved) for saved in drawn)
            for row, drawn in state.items()
        }
