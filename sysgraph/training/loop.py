"""Training on one set of pairs: steps, evaluations on held-out pairs, states to resume from."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from ..engines.seeding import derive
from ..errors import RunError
from ..progress import Reporter
from ..system import System
from .batches import batch_rows, rows_drawn
from .checkpoint import State, flatten
from .evidence import Evidence
from .forward import Totals, pair_losses
from .metrics import MetricsFile
from .optimization import Optimization
from .pairs import PairTable
from .snapshots import Snapshot, copy_of, put
from .workers import Workers

_ROWS_PER_EVALUATION = 64
_REQUESTS_PER_CALL = 512


@dataclass
class Best:
    """The weights that did best on held-out pairs so far."""

    loss: float = float("inf")
    step: int = 0
    weights: Snapshot = field(default_factory=dict)


class Loop:
    """The steps of one round.

    Args:
        system: its trained models' current weights are where training starts.
        train: pairs to learn from.
        held_out: pairs to choose the best checkpoint by; empty: the last one is kept.
        number: of the round, which decides the order of pairs.
        evidence: told of every gradient.
    """

    def __init__(
        self,
        system: System,
        workers: Workers,
        train: PairTable,
        held_out: PairTable,
        *,
        number: int,
        optimization: Optimization,
        evidence: Evidence,
        metrics: MetricsFile,
        reporter: Reporter,
    ) -> None:
        self._system, self._workers, self._fit = system, workers, system.program.fit
        self._train, self._held_out, self._number = train, held_out, number
        self._optimization, self._evidence = optimization, evidence
        self._metrics, self._reporter = metrics, reporter
        self._weights = {model: system.parameters(model) for model in system.trained()}
        self._order = derive(self._fit.seed, number)  # seed of the order of pairs
        self._best = Best()
        self._step = 0
        self._window: Totals | None = None  # since the last line of metrics

    def run(self, save: Callable[[State], None], stop: Callable[[], bool]) -> bool:
        """Takes the remaining steps, then puts the best weights back.

        Args:
            save: called with the state every `fit.save_every` steps, and before stopping early.
            stop: asked after each step; True ends the run there, resumable.

        Returns:
            Whether all steps were taken.

        Raises:
            RunError: a step's loss or gradient was not finite.
        """
        fit = self._fit
        drawn = rows_drawn(len(self._train), fit.batch_size, fit.steps, self._order)
        reference = self._reference(self._train, drawn, "reference")
        every = range(len(self._held_out))
        held_reference = self._reference(self._held_out, every, "held-out reference")
        name = f"round {self._number + 1}/{fit.rounds}" if fit.rounds else "fit"
        with self._reporter.task(name, fit.steps, self._step) as task:
            if self._step == 0:
                self._evaluate(held_reference)
            while self._step < fit.steps:
                norms = self._take_step(reference)
                last = self._step == fit.steps
                logging = self._step % fit.log_every == 0 or last
                task.advance(note=self._log(norms) if logging else None)
                if self._step % fit.eval_every == 0 or last:
                    self._evaluate(held_reference)
                stopping = stop() and not last
                if stopping or (self._step % fit.save_every == 0 and not last):
                    save(self.state())
                if stopping:
                    return False
        self._evidence.add_round()
        self._restore_best()
        return True

    def _take_step(self, reference: Tensor) -> dict[str, Tensor]:
        """One optimizer step; the gradients' norms."""
        fit, workers = self._fit, self._workers
        rows = batch_rows(len(self._train), fit.batch_size, self._step, self._order)
        # More processes than pairs in a batch leave some without a share: their sums are empty.
        share = _split(list(workers.share(rows)), fit.gradient_accumulation_steps) or [[]]
        parts = []
        for micro in share:
            with workers.accelerator.autocast():
                losses, totals = pair_losses(self._system, self._train, micro, reference, fit)
            if losses.requires_grad:  # not if every trained term of these pairs cancels
                workers.accelerator.backward(losses.sum() / fit.batch_size)
            parts.append(totals)
        totals = sum(parts[1:], parts[0])
        try:
            norms = self._optimization.step(workers.sum(totals.sums[0].clone()))
        except RunError as error:
            raise RunError(f"step {self._step + 1} was not taken: {error}") from error
        self._evidence.add_step(norms)
        self._window = totals if self._window is None else self._window + totals
        self._step += 1
        return norms

    def _log(self, norms: dict[str, Tensor]) -> str:
        """Writes the mean metrics since the last line; a short note for the progress line."""
        assert self._window is not None
        means = self._window.over(self._workers.sum).means()
        self._window = None
        self._metrics.write(
            {
                "round": self._number,
                "step": self._step,
                **means,
                **self._optimization.learning_rates(),
                **{name: float(norm) for name, norm in norms.items()},
            }
        )
        return f"loss {means['loss']:.3f} margin {means['rewards/margins']:.2f}"

    @torch.no_grad()
    def _evaluate(self, reference: Tensor) -> None:
        if not len(self._held_out):
            return
        rows = list(self._workers.share(range(len(self._held_out))))
        with self._workers.accelerator.autocast():
            parts = [
                pair_losses(self._system, self._held_out, batch, reference, self._fit)[1]
                for batch in _chunks(rows, _ROWS_PER_EVALUATION) or [[]]
            ]
        means = sum(parts[1:], parts[0]).over(self._workers.sum).means()
        line = {f"eval_{name}": value for name, value in means.items()}
        self._metrics.write({"round": self._number, "step": self._step, **line})
        if means["loss"] < self._best.loss:
            self._best = Best(means["loss"], self._step, copy_of(self._weights))

    def _reference(self, table: PairTable, rows: Sequence[int], name: str) -> Tensor:
        """Log p under the reference of every request that `rows` of `table` need: [R + 1].

        A resumed round works out those of all its steps again, in the same passes: so its numbers
        are the same to the bit.
        """
        out = torch.zeros(len(table.requests) + 1, device=self._workers.device)
        mine = list(self._workers.share(table.referenced(rows)))
        with torch.no_grad(), self._reporter.task(name, len(mine)) as task:
            for chunk in _chunks(mine, _REQUESTS_PER_CALL):
                with self._workers.accelerator.autocast():
                    values = self._system.score([table.requests[r] for r in chunk], reference=True)
                out[torch.tensor(chunk, device=out.device)] = values
                task.advance(len(chunk))
        return self._workers.sum(out)

    def _restore_best(self) -> None:
        if self._best.weights:
            put(self._weights, self._best.weights)
            self._reporter.line(
                f"kept the weights after step {self._best.step} of {self._fit.steps}: lowest "
                f"held-out loss, {self._best.loss:.4f}"
            )

    # ---- state

    def state(self) -> State:
        """Where this round stands, but for the weights and their optimization."""
        window = self._window.over(self._workers.sum) if self._window is not None else None
        return State(
            flatten("best", self._best.weights),
            {
                "round": self._number,
                "step": self._step,
                "best_step": self._best.step,
                "best_loss": self._best.loss if self._best.weights else None,
                "window": window.to_json() if window is not None else None,
            },
        )

    def load(self, state: State) -> None:
        """Goes on from `state`, with the weights of then already in place."""
        info = state.info
        self._step = info["step"]
        if info["best_loss"] is not None:
            self._best = Best(info["best_loss"], info["best_step"], state.under("best"))
        if info["window"] is not None and self._workers.main:  # the sum over all processes
            self._window = Totals.from_json(info["window"], self._workers.device)


def _split(rows: list[int], parts: int) -> list[list[int]]:
    return _chunks(rows, max(1, -(-len(rows) // parts)))


def _chunks(rows: list[int], size: int) -> list[list[int]]:
    return [rows[start : start + size] for start in range(0, len(rows), size)]
