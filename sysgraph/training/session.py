"""The rounds of one run: collect from the current policy, fit, keep the best, and never lose any of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sysgraph_compiler import Program

from ..engines.seeding import derive
from ..errors import RunError
from ..evaluation import Evaluation, evaluate
from ..progress import Reporter
from ..scored import Scored, mean_score, ordered_pairs, sample_scored
from ..scorers import Scorer
from ..system import System
from .batches import hold_out, shuffled
from .checkpoint import State, flatten, load_state, publish, save_state
from .folder import RunFolder
from .interrupts import stop_between_steps
from .loop import Loop
from .metrics import MetricsFile
from .pairs import Pair, tabulate
from .snapshots import Snapshot, copy_of, put
from .workers import Workers


class Interrupted(RunError):
    """The run was asked to stop, and did so where it can be resumed."""


@dataclass(frozen=True)
class Material:
    """What a run learns from and is measured by: fixed `pairs`, or `inputs` to collect on."""

    pairs: Sequence[Pair]
    inputs: Sequence[Mapping[str, Any]]
    eval_inputs: Sequence[Mapping[str, Any]]
    scorer: Scorer | None


class Session:
    """A run from its start or its last state to its end."""

    def __init__(
        self,
        system: System,
        material: Material,
        *,
        workers: Workers,
        folder: RunFolder,
        reporter: Reporter,
    ) -> None:
        self._system, self._material = system, material
        self._program: Program = system.program
        self._fit = system.program.fit
        self._workers, self._folder, self._reporter = workers, folder, reporter
        self._metrics = MetricsFile(folder.metrics if workers.main else None)
        self._weights = {model: system.parameters(model) for model in system.trained()}
        self._reference: Snapshot = {}  # this round's; empty: the models before training
        self._best: Snapshot = {}  # of the rounds so far, by the score of held-out inputs
        self._best_score: float | None = None
        self.before: Evaluation | None = None
        self.after: Evaluation | None = None
        self._held = hold_out(
            [repr(i) for i in material.inputs], self._fit.eval_fraction, self._fit.seed
        )

    def run(self) -> None:
        """Takes the rounds that are left; `before` and `after` then hold the scores.

        Raises:
            Interrupted: a signal asked to stop.
            RunError: training failed.
        """
        state = load_state(self._folder.state)
        first = 0
        if state is None:
            self._metrics.truncate(0)
            self.before = self._evaluate("before")
        else:
            first = self._load(state)
        for number in range(first, max(1, self._fit.rounds)):
            self._round(number, state if state is not None and "step" in state.info else None)
            state = None
            self._save(State({}, {"round": number + 1}))
        if self._fit.rounds:
            self._consider(self._sample(self._held_inputs(), "held-out score", self._fit.rounds))
            if self._best:
                put(self._weights, self._best)
        self.after = self._evaluate("after")
        if self._workers.main:
            publish(self._folder.models, self._system.save)

    def _round(self, number: int, state: State | None) -> None:
        if state is not None:
            pairs = (
                self._folder.load_pairs(number, self._program)
                if self._fit.rounds
                else self._split()
            )
        elif self._fit.rounds:
            pairs = self._collect(number)
            if number:
                self._reference = copy_of(self._weights)
                self._set_reference()
        else:
            pairs = self._split()
        if not pairs["train"]:
            self._reporter.line(f"round {number + 1}: no input's samples differ in score")
            return
        loop = Loop(
            self._system,
            self._workers,
            tabulate(self._system, pairs["train"]),
            tabulate(self._system, pairs["held_out"]),
            number=number,
            metrics=self._metrics,
            reporter=self._reporter,
        )
        if state is not None:
            loop.load(state)
        with stop_between_steps(enabled=self._workers.alone) as stop:
            if not loop.run(self._save, stop):
                raise Interrupted(
                    f"interrupted; continue with: sysgraph fit {self._folder.graph} --resume "
                    f"--output {self._folder.root}"
                )

    # ---- pairs

    def _split(self) -> dict[str, list[Pair]]:
        """The fixed pairs, whole inputs held out."""
        pairs = self._material.pairs
        keys = [repr(sorted(pair.chosen.inputs.items())) for pair in pairs]
        held = hold_out(keys, self._fit.eval_fraction, self._fit.seed)
        return {
            "train": [p for p, h in zip(pairs, held, strict=True) if not h],
            "held_out": [p for p, h in zip(pairs, held, strict=True) if h],
        }

    def _collect(self, number: int) -> dict[str, list[Pair]]:
        """Pairs from the current policy, on disk before they are trained on."""
        inputs = [i for i, held in zip(self._material.inputs, self._held, strict=True) if not held]
        if self._fit.inputs_per_round is not None:
            order = shuffled(len(inputs), derive(self._fit.seed, "inputs", number))
            inputs = [inputs[i] for i in order[: self._fit.inputs_per_round]]
        name = f"collect {number + 1}/{self._fit.rounds}"
        scored = {
            "train": self._sample(inputs, name, number),
            "held_out": self._sample(self._held_inputs(), f"{name} held-out", number),
        }
        self._consider(scored["held_out"])
        self._log_scores(number, scored)
        pairs = {name: list(ordered_pairs(s, self._fit.samples)) for name, s in scored.items()}
        if self._workers.main:
            self._folder.save_pairs(number, self._program, pairs)
        self._workers.wait()
        return pairs

    def _held_inputs(self) -> list[Mapping[str, Any]]:
        return [i for i, held in zip(self._material.inputs, self._held, strict=True) if held]

    def _sample(self, inputs: Sequence[Mapping[str, Any]], name: str, number: int) -> list[Scored]:
        assert self._material.scorer is not None
        mine = self._workers.share(inputs)
        with self._reporter.task(name, len(mine)) as task:
            scored = sample_scored(
                self._system,
                mine,
                self._material.scorer,
                samples=self._fit.samples,
                seed=derive(self._fit.seed, "collect", number),
                advance=task.advance,
            )
        size = self._fit.samples
        groups = [scored[i : i + size] for i in range(0, len(scored), size)]
        return [one for group in self._workers.together(groups) for one in group]

    def _consider(self, held_out: Sequence[Scored]) -> None:
        """Keeps the current weights if held-out inputs score best under them; later ones win ties."""
        if not held_out:
            return
        score = mean_score(held_out)
        if self._best_score is None or score >= self._best_score:
            self._best_score, self._best = score, copy_of(self._weights)

    def _log_scores(self, number: int, scored: Mapping[str, Sequence[Scored]]) -> None:
        means = {name: mean_score(several) for name, several in scored.items() if several}
        self._metrics.write({"round": number, **{f"score/{k}": v for k, v in means.items()}})
        shown = ", ".join(f"{name} {value:.3f}" for name, value in means.items())
        self._reporter.line(
            f"round {number + 1}/{self._fit.rounds}: mean score of samples: {shown}"
        )

    def _evaluate(self, name: str) -> Evaluation | None:
        scorer = self._material.scorer
        if scorer is None or not self._material.eval_inputs:
            return None
        found = evaluate(
            self._system,
            self._material.eval_inputs,
            scorer,
            seed=derive(self._fit.seed, "evaluate"),
            reporter=self._reporter,
        )
        self._metrics.write({"evaluation": name, **found.metrics()})
        self._reporter.line(f"{name} training: {found}")
        return found

    # ---- weights and state

    def _set_reference(self) -> None:
        for model, weights in self._reference.items():
            self._system.set_reference(model, weights)

    def _save(self, state: State) -> None:
        """Saves a round's state (or that between two rounds) with what outlives rounds."""
        if self._workers.main:
            tensors = {
                **flatten("policy", self._weights),
                **flatten("reference", self._reference),
                **flatten("best_round", self._best),
                **state.tensors,
            }
            info = {
                "best_round_score": self._best_score,
                "before": self.before.model_dump() if self.before else None,
                "metrics_size": self._metrics.size(),
                **state.info,
            }
            save_state(self._folder.state, State(tensors, info))
        self._workers.wait()

    def _load(self, state: State) -> int:
        """Goes on from `state`; the round to go on with."""
        info = state.info
        put(self._weights, state.under("policy"))
        self._reference, self._best = state.under("reference"), state.under("best_round")
        self._best_score = info["best_round_score"]
        self.before = Evaluation(**info["before"]) if info["before"] else None
        self._set_reference()
        self._metrics.truncate(info["metrics_size"])
        number = int(info["round"])
        self._reporter.line(
            f"resuming {self._folder.root} at round {number + 1}, step {info.get('step', 0)}"
        )
        return number
