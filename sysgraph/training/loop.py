"""Training on one set of pairs: steps, evaluations on held-out pairs, states to resume from."""

import contextlib
import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from ..support.errors import RunError
from ..support.progress import Reporter
from ..support.seeding import derive
from ..system import System
from .adjoint import Adjoint
from .batches import batch_visits, chunks, visits_drawn
from .checkpoint import State, flatten
from .evidence import Evidence
from .kept import Kept
from .metrics import MetricsFile
from .moving_reference import MovingReference
from .objective import Objective
from .optimization import Optimization
from .pairs import PairTable
from .reference_cache import ReferenceCache
from .snapshots import Snapshot, copy_of, put
from .totals import Totals
from .workers import Workers

_ROWS_PER_EVALUATION = 64


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
        reference: this round's, which the system has now; empty: the models before training.
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
        reference: Snapshot,
        optimization: Optimization,
        evidence: Evidence,
        metrics: MetricsFile,
        reporter: Reporter,
    ) -> None:
        self._system, self._workers, self._fit = system, workers, system.program.fit
        self._number = number
        self._optimization, self._evidence = optimization, evidence
        self._metrics, self._reporter = metrics, reporter
        self._weights = {model: system.parameters(model) for model in system.trained()}
        self._order = derive(self._fit.seed, number)  # seed of the order of pairs
        tables = {"train": train, "held out": held_out}
        self._remembered = {name: ReferenceCache(system) for name in tables}
        self._train, self._held_out = (
            Objective(
                system,
                workers,
                table,
                seed=derive(self._order, name),
                remembered=self._remembered[name],
                reporter=reporter,
            )
            for name, table in tables.items()
        )
        self._moving: MovingReference | None = None
        if self._fit.reference is not None:
            self._moving = MovingReference(system, self._weights, self._fit.reference, reference)
        self._best = Best()
        self.kept: Kept | None = None
        """The weights that the round ended with, where held-out pairs chose them."""
        self._step = 0
        self._window: Totals | None = None  # since the last line of metrics
        self._learnt = False  # from some pair, as far as lines of metrics tell

    def run(self, save: Callable[[State], None], stop: Callable[[], bool]) -> bool:
        """Takes the remaining steps, then puts the best weights back.

        Args:
            save: called with the state every `fit.save_every` steps, and before stopping early.
            stop: asked after each step; True ends the run there, resumable.

        Returns:
            Whether all steps were taken.

        Raises:
            RunError: a step's loss or gradient was not finite, or the held-out loss before the
                first one.
        """
        fit = self._fit
        self.prepare()
        name = f"round {self._number + 1}/{fit.rounds}" if fit.rounds else "fit"
        with self._reporter.task(name, fit.steps, self._step) as task:
            if self._step == 0:
                self._evaluate()
            while self._step < fit.steps:
                norms = self.take_step()
                self._follow()
                last = self._step == fit.steps
                logging = self._step % fit.log_every == 0 or last
                task.advance(note=self._log(norms) if logging else None)
                if self._step % fit.eval_every == 0 or last:
                    self._evaluate()
                stopping = stop() and not last
                if stopping or (self._step % fit.save_every == 0 and not last):
                    save(self.state())
                if stopping:
                    return False
        self._evidence.add_round()
        self._restore_best()
        return True

    def prepare(self) -> None:
        """Works out what the steps share: reference values, and draws of frozen models."""
        fit, table = self._fit, self._train.table
        epochs = max(table.sets.tolist())  # later ones repeat their requests
        drawn = visits_drawn(len(table), fit.batch_size, fit.steps, self._order, epochs=epochs)
        self._held_out.prepare(range(len(self._held_out.table)), "held-out reference")
        if self._moving is None:
            self._train.prepare(drawn, "reference")
        else:
            self._train.draw_frozen(drawn)
            self._moving.install()
            self._refer(self._moving)

    def _follow(self) -> None:
        """Lets the reference follow, if it does and it is time, for the steps that are left."""
        moving = self._moving
        if moving is not None and self._step < self._fit.steps and moving.follow(self._step):
            self._remembered["train"].clear()
            self._refer(moving)

    def _refer(self, moving: MovingReference) -> None:
        """The values of all steps that have this reference, also of those already taken.

        A resumed round works them out in the same passes, so they are the same to the bit.
        """
        fit, table = self._fit, self._train.table
        visits = [
            visit
            for step in moving.span(self._step, fit.steps)
            for visit in batch_visits(len(table), fit.batch_size, step, self._order)
        ]
        self._train.refer(visits, "reference")

    def take_step(self) -> dict[str, Tensor]:
        """One optimizer step, once all is prepared; the gradients' norms."""
        fit, workers, before = self._fit, self._workers, self._system.work()
        if self._step % fit.sampling.redraw_every == 0:
            last = min(self._step + fit.sampling.redraw_every, fit.steps)
            several = (self._share(step) for step in range(self._step, last))
            self._train.draw(itertools.chain.from_iterable(several), self._step)
        # More processes than pairs in a batch leave some without a share: their sums are empty.
        mine = self._share(self._step)
        share = _split(mine, fit.gradient_accumulation_steps) or [[]]
        with workers.accelerator.autocast():
            length = self._train.length(mine, fit.batch_size)
        adjoint = Adjoint(self._system)
        parts = []
        for micro in share:
            for asked in self._train.portions(micro, adjoint.fits):
                with workers.accelerator.autocast():
                    losses, totals = asked.losses(adjoint.score, length)
                if losses.requires_grad:  # not if every trained term of these pairs cancels
                    workers.accelerator.backward(losses.sum() / fit.batch_size)
                    with workers.accelerator.autocast():
                        adjoint.backward()
                parts.append(totals)
        totals = sum(parts[1:], parts[0])
        try:
            norms = self._optimization.step(workers.sum(totals.sums[0].clone()))
        except RunError as error:
            raise RunError(
                f"step {self._step + 1} was not taken: {error}: {self._train.culprit(mine)}"
            ) from error
        self._evidence.add_step(norms)
        did = self._system.work() - before
        totals = totals.and_share("padding", did.padding, did.tokens + did.padding)
        self._window = totals if self._window is None else self._window + totals
        self._step += 1
        return norms

    def _share(self, step: int) -> list[int]:
        """This process's visits of a step's batch."""
        visits = batch_visits(len(self._train.table), self._fit.batch_size, step, self._order)
        return list(self._workers.share(visits))

    def _log(self, norms: dict[str, Tensor]) -> str:
        """Writes the mean metrics since the last line; a short note for the progress line."""
        assert self._window is not None
        window = self._window.over(self._workers.sum)
        means = window.means()
        self._window = None
        self._require_losses(window)
        self._metrics.write(
            {
                "round": self._number,
                "step": self._step,
                **means,
                **self._optimization.learning_rates(),
                **{name: float(norm) for name, norm in norms.items()},
            }
        )
        if "loss" not in means:  # every pair was skipped
            return ""
        return f"loss {means['loss']:.3f} margin {means['rewards/margins']:.2f}"

    def _require_losses(self, window: Totals) -> None:
        """Fails a round that went through its pairs without a loss of any."""
        self._learnt = self._learnt or window.count("loss") > 0
        seen = self._step * self._fit.batch_size >= len(self._train.table)
        if not self._learnt and (seen or self._step == self._fit.steps):
            raise RunError(
                "no pair could be learnt from: under every trajectory that was drawn, a parser "
                "rejects what comes before an observed value. Draw more (`sampling.k`) or others "
                "(`sampling.sampler`), or first train on data that holds the values before it"
            )

    @torch.no_grad()
    def _evaluate(self) -> None:
        if not len(self._held_out.table):
            return
        with self._moving.at_start() if self._moving else contextlib.nullcontext():
            self._evaluate_held_out()

    def _evaluate_held_out(self) -> None:
        rows = list(self._workers.share(range(len(self._held_out.table))))
        self._held_out.draw(rows)  # the same random numbers in every evaluation
        with self._workers.accelerator.autocast():
            length = self._held_out.length(rows, len(self._held_out.table))
            parts = [
                self._held_out.losses(batch, length=length)[1]
                for batch in chunks(rows, _ROWS_PER_EVALUATION) or [[]]
            ]
        means = sum(parts[1:], parts[0]).over(self._workers.sum).means()
        line = {f"eval_{name}": value for name, value in means.items()}
        self._metrics.write({"round": self._number, "step": self._step, **line})
        loss = means.get("loss", float("inf"))
        if "loss" in means and not math.isfinite(loss):
            self._refuse(loss, rows)
        elif loss < self._best.loss:
            self._best = Best(loss, self._step, copy_of(self._weights))

    def _refuse(self, loss: float, rows: list[int]) -> None:
        """Fails before the first step, where held-out pairs are at fault; later it warns."""
        what = f"the held-out loss is {loss}: {self._held_out.culprit(rows)}"
        if self._step == 0:
            raise RunError(f"no step was taken: {what}")
        self._reporter.line(f"warning: step {self._step} is not kept as the best: {what}")

    def _restore_best(self) -> None:
        if self._best.weights:
            put(self._weights, self._best.weights)
            self.kept = Kept(
                round=self._number + 1 if self._fit.rounds else 0,
                step=self._best.step,
                steps=self._fit.steps,
                loss=self._best.loss,
            )
            self._reporter.line(f"{self.kept}")

    # ---- state

    def state(self) -> State:
        """Where this round stands, but for the weights and their optimization."""
        window = self._window.over(self._workers.sum) if self._window is not None else None
        later = self._step % self._fit.sampling.redraw_every  # steps will use what is drawn
        return State(
            {
                **flatten("best", self._best.weights),
                **flatten("remembered", {n: one.state() for n, one in self._remembered.items()}),
                **flatten("moving", self._moving.state() if self._moving else {}),
            },
            {
                "round": self._number,
                "step": self._step,
                "best_step": self._best.step,
                "best_loss": self._best.loss if self._best.weights else None,
                "window": window.to_json() if window is not None else None,
                "learnt": self._learnt,
                "drawn": self._train.state() if later else {},
            },
        )

    def load(self, state: State) -> None:
        """Goes on from `state`, with the weights of then already in place."""
        info = state.info
        self._step = info["step"]
        if info["best_loss"] is not None:
            self._best = Best(info["best_loss"], info["best_step"], state.under("best"))
        self._learnt = info["learnt"]
        for name, saved in state.under("remembered").items():
            self._remembered[name].load(saved)
        if self._moving:
            self._moving.load(state.under("moving"))
        self._train.load(info["drawn"])
        if info["window"] is not None and self._workers.main:  # the sum over all processes
            self._window = Totals.from_json(info["window"], self._workers.device)


def _split(rows: list[int], parts: int) -> list[list[int]]:
    return chunks(rows, max(1, -(-len(rows) // parts)))
