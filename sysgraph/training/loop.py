"""Training on one fixed set of pairs: steps, evaluations on held-out pairs, states to resume from."""

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from ..engines.seeding import derive
from ..errors import RunError
from ..progress import Reporter
from ..system import System
from .batches import batch_rows
from .checkpoint import State, flatten
from .forward import Totals, pair_losses
from .metrics import MetricsFile
from .optimization import Optimization
from .pairs import PairTable
from .snapshots import Snapshot, copy_of, fingerprint, put
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
    """

    def __init__(
        self,
        system: System,
        workers: Workers,
        train: PairTable,
        held_out: PairTable,
        *,
        number: int,
        metrics: MetricsFile,
        reporter: Reporter,
    ) -> None:
        self._system, self._workers, self._fit = system, workers, system.program.fit
        self._train, self._held_out, self._number = train, held_out, number
        self._metrics, self._reporter = metrics, reporter
        self._weights = {model: system.parameters(model) for model in system.trained()}
        self._optimization = Optimization(system.program, self._weights, workers)
        self._best = Best()
        self._step = 0
        self._grad_seen = {model: torch.zeros((), device=workers.device) for model in self._weights}
        self._start = {model: fingerprint(p) for model, p in self._weights.items()}

    def run(self, save: Callable[[State], None], stop: Callable[[], bool]) -> bool:
        """Takes the remaining steps, then puts the best weights back.

        Args:
            save: called with the state every `fit.save_every` steps, and before stopping early.
            stop: asked after each step; True ends the run there, resumable.

        Returns:
            Whether all steps were taken.

        Raises:
            RunError: a step's loss was not finite, or a model that is trained got no gradient.
        """
        fit = self._fit
        reference = self._reference(self._train, "reference")
        held_reference = self._reference(self._held_out, "held-out reference")
        window: list[Totals] = []
        name = f"round {self._number + 1}/{fit.rounds}" if fit.rounds else "fit"
        with self._reporter.task(name, fit.steps, self._step) as task:
            if self._step == 0:
                self._evaluate(held_reference)
            while self._step < fit.steps:
                totals, norms = self._take_step(reference)
                self._step += 1
                window.append(totals)
                stopping = stop()
                saving = self._step % fit.save_every == 0 or stopping
                if self._step % fit.log_every == 0 or saving or self._step == fit.steps:
                    task.advance(0, note=self._log(window, norms))
                    window = []
                if self._step % fit.eval_every == 0 or self._step == fit.steps:
                    self._evaluate(held_reference)
                if saving and (stopping or self._step < fit.steps):
                    save(self.state())
                task.advance()
                if stopping:
                    return False
        self._require_training()
        self._restore_best()
        return True

    def _take_step(self, reference: Tensor) -> tuple[Totals, dict[str, Tensor]]:
        fit, workers = self._fit, self._workers
        seed = derive(fit.seed, self._number)
        rows = batch_rows(len(self._train), fit.batch_size, self._step, seed)
        totals: Totals | None = None
        for micro in _split(list(workers.share(rows)), fit.gradient_accumulation_steps):
            with workers.accelerator.autocast():
                losses, part = pair_losses(self._system, self._train, micro, reference, fit)
            workers.accelerator.backward(losses.sum() / fit.batch_size)
            totals = part if totals is None else totals + part
        if totals is None:  # more processes than pairs in a batch: this one has no share
            totals = pair_losses(self._system, self._train, [], reference, fit)[1]
        loss = workers.sum(totals.sums[0].clone())
        try:
            norms = self._optimization.step(loss)
        except RunError as error:
            raise RunError(f"step {self._step + 1} was not taken: {error}") from error
        for model in self._weights:
            self._grad_seen[model] += norms[f"grad_norm/{model}"]
        return totals, norms

    def _log(self, window: list[Totals], norms: dict[str, Tensor]) -> str:
        """Writes the window's mean metrics; a short note for the progress line."""
        means = _reduced(window, self._workers).means()
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
        means = _reduced(parts, self._workers).means()
        line = {f"eval_{name}": value for name, value in means.items()}
        self._metrics.write({"round": self._number, "step": self._step, **line})
        if means["loss"] < self._best.loss:
            self._best = Best(means["loss"], self._step, copy_of(self._weights))

    def _reference(self, table: PairTable, name: str) -> Tensor:
        """Log p under the reference of every request of `table` that needs it: [R + 1]."""
        out = torch.zeros(len(table.requests) + 1, device=self._workers.device)
        mine = list(self._workers.share(table.referenced()))
        with torch.no_grad(), self._reporter.task(name, len(mine)) as task:
            for chunk in _chunks(mine, _REQUESTS_PER_CALL):
                with self._workers.accelerator.autocast():
                    values = self._system.score([table.requests[r] for r in chunk], reference=True)
                out[torch.tensor(chunk, device=out.device)] = values
                task.advance(len(chunk))
        return self._workers.sum(out)

    # ---- state

    def state(self) -> State:
        """Where this round stands, but for the weights themselves."""
        moments, info = self._optimization.state()
        return State(
            {
                **flatten("optimizer", moments),
                **flatten("best", self._best.weights),
                **flatten("gradients", {m: {"seen": g} for m, g in self._grad_seen.items()}),
                **flatten("start", {m: {"fingerprint": f} for m, f in self._start.items()}),
            },
            {
                "round": self._number,
                "step": self._step,
                "best_step": self._best.step,
                "best_loss": self._best.loss if self._best.weights else None,
                "optimization": info,
            },
        )

    def load(self, state: State) -> None:
        """Goes on from `state`, with the weights of then already in place."""
        self._optimization.load(state.under("optimizer"), state.info["optimization"])
        self._step = state.info["step"]
        if state.info["best_loss"] is not None:
            self._best = Best(state.info["best_loss"], state.info["best_step"], state.under("best"))
        for model, seen in state.under("gradients").items():
            self._grad_seen[model] = seen["seen"].to(self._workers.device)
        self._start = {m: f["fingerprint"] for m, f in state.under("start").items()}

    def _restore_best(self) -> None:
        if self._best.weights:
            put(self._weights, self._best.weights)

    def _require_training(self) -> None:
        without = [model for model, seen in self._grad_seen.items() if not seen > 0]
        if without:
            raise RunError(
                f"no pair gave a gradient to {', '.join(without)}, declared trainable: on every pair "
                "the sides agree on the texts and prompts of its nodes. Collect pairs that differ "
                "there, or declare it `train: frozen`"
            )
        same = [m for m, p in self._weights.items() if torch.equal(fingerprint(p), self._start[m])]
        if same:
            raise RunError(
                f"{', '.join(same)} got gradients but did not change: the learning rate is lost in "
                "the rounding of the weights' type. Raise `learning_rate`, or set `dtype: float32`"
            )


def _reduced(parts: list[Totals], workers: Workers) -> Totals:
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return Totals(total.names, workers.sum(total.sums), workers.sum(total.counts))


def _split(rows: list[int], parts: int) -> list[list[int]]:
    return _chunks(rows, max(1, -(-len(rows) // parts)))


def _chunks(rows: list[int], size: int) -> list[list[int]]:
    return [rows[start : start + size] for start in range(0, len(rows), size)]
