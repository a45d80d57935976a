"""The rounds of one run: collect from the current policy, fit, keep the best, never lose any."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from sysgraph_compiler import Program

from ..engines.sharding import is_divided
from ..measuring.evaluation import Evaluation, answered, summarize
from ..support.changes import changes, listed, program_changes
from ..support.errors import InputError, Interrupted, RunError
from ..support.progress import Reporter
from ..support.seeding import derive
from ..system import System
from ..traces.pair import Pair
from .checkpoint import State, flatten, load_state, save_parts, save_state
from .collecting import Collector, Material
from .environment import surroundings
from .evidence import Evidence
from .folder import RunFolder, provenance
from .interrupts import stop_between_steps
from .kept import Kept, learned_nothing
from .loop import Loop
from .metrics import MetricsFile
from .optimization import Optimization
from .pairs import PairTable, split_pairs, tabulate
from .record import Record
from .snapshots import Snapshot, copy_of, put
from .trackers import Trackers
from .view import TrainingView
from .watch import Watch
from .workers import Workers

_WARNINGS = 5
"""Most pairs that a round warns of one by one."""


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
        watch = Watch(
            steps=self._fit.steps,
            rounds=self._fit.rounds,
            batch_size=self._fit.batch_size,
            nodes=tuple(t.variable for t in self._program.terms if t.status == "trained"),
        )
        self._view = TrainingView(self._program.name, watch, system.devices)
        self._trackers = Trackers(self._program, workers, reporter)
        self._metrics = MetricsFile(
            folder.metrics if workers.main else None, watch.see, self._trackers.log
        )
        self._record = Record(folder if workers.main else None, system.devices, system.work)
        self._collector = Collector(
            system, material, workers=workers, metrics=self._metrics, reporter=reporter
        )
        self._weights = {model: system.parameters(model) for model in system.trained()}
        self._is_divided = any(is_divided(w) for ws in self._weights.values() for w in ws.values())
        self._optimization = Optimization(system.program, self._weights, workers)
        self._evidence = Evidence(system.program, self._weights, workers)
        self._digest = material.digest()
        self._pairs_digest: str | None = None  # of the round that is worked on, on disk
        self._reference: Snapshot = {}  # this round's; empty: the models before training
        self._best: Snapshot = {}  # of the rounds so far, by the score of held-out inputs
        self._best_score: float | None = None
        self._best_round = 0
        self._identity: dict[str, Any] = {}  # what the state belongs to; when it is first asked for
        self.kept: list[Kept] = []
        """What each round ended with, of those that held pairs out."""
        self.best_round: int | None = None
        """The round after which the weights were best and kept; None: no held-out inputs chose."""
        self.before: Evaluation | None = None
        self.after: Evaluation | None = None

    def run(self) -> None:
        """Takes the rounds that are left; `before` and `after` then hold the scores.

        Raises:
            Interrupted: a signal asked to stop.
            InputError: the data changed since the run was stopped.
            RunError: training failed.
        """
        try:
            with self._trackers.open(self._folder.trackers), self._reporter.watching(self._view):
                self._run()
        except KeyboardInterrupt:  # while no steps are taken, or the second one
            raise self._interrupted() from None

    def _run(self) -> None:
        state = load_state(self._folder.state, self._weights)
        first = 0
        if state is None:
            self._trackers.had(self._metrics.truncate(0))
            self.before = self._evaluate("before")
        else:
            first = self._load(state)
        for number in range(first, max(1, self._fit.rounds)):
            self._round(number, state if state is not None and "step" in state.info else None)
            state = None
            self._save(State({}, {"round": number + 1}))
        for text in self._evidence.shortfalls():
            self._reporter.line(f"warning: {text}")
        if self._fit.rounds:
            self._consider(self._collector.held_out_score(), self._fit.rounds)
            self._restore_best_round()
        if learned_nothing(self.kept, self._fit.rounds, self.best_round):
            self._reporter.line(
                "warning: nothing was learned: the weights are those from before training. Try "
                "another `learning_rate`, more `steps`, or more pairs"
            )
        self.after = self._evaluate("after")
        main = self._workers.main
        if main or self._is_divided:
            with self._record.phase("save"):
                self._folder.save_models(self._system, here=main)
        if main:
            self._record_credit()
        work = self._system.work()
        if work.padded is not None:
            run = work.tokens + work.padding
            self._reporter.line(f"padding: {work.padded:.1%} of {run:,} tokens that models ran on")

    def _round(self, number: int, state: State | None) -> None:
        """One round's steps, or the rest of them after `state`."""
        pairs = self._pairs(number, resumed=state is not None)
        if not pairs["train"]:
            return  # the collector said why
        seeds = {name: derive(self._fit.seed, "noise", number, name) for name in pairs}
        train = tabulate(self._system, pairs["train"], seed=seeds["train"])
        self._warn(train)
        without = self._evidence.add_pairs(train)
        for text in () if self._fit.rounds else without:  # later rounds' pairs may differ there
            self._reporter.line(f"warning: {text}")
        if train.has_gaps and self._fit.sampling.counts_twice:
            self._reporter.line(
                "warning: a plain sum over independent draws counts likely texts twice; use "
                "`sampling.estimator: importance`, or another `sampling.sampler`"
            )
        if self._fit.reference is not None and not self._reference:  # it moves from here
            self._reference = copy_of(self._weights)
            self._set_reference()
        loop = Loop(
            self._system,
            self._workers,
            train,
            tabulate(self._system, pairs["held_out"], seed=seeds["held_out"], held_out=True),
            number=number,
            reference=self._reference,
            optimization=self._optimization,
            evidence=self._evidence,
            metrics=self._metrics,
            reporter=self._reporter,
        )
        if state is not None:
            loop.load(state)
        with stop_between_steps(enabled=self._workers.alone) as stop:
            self._view.stopping = stop if self._workers.alone else None
            with self._record.phase("train", number):
                finished = loop.run(self._save, stop)
            if not finished:
                raise self._interrupted()
            self._view.stopping = None
        if loop.kept is not None:
            self.kept.append(loop.kept)

    def _warn(self, table: PairTable) -> None:
        """Tells what is odd about the pairs, each row once."""
        found = table.warnings(self._system)
        for text in found[:_WARNINGS]:
            self._reporter.line(f"warning: {text}")
        if len(found) > _WARNINGS:
            self._reporter.line(f"warning: and so in {len(found) - _WARNINGS} more pairs")

    def _pairs(self, number: int, *, resumed: bool) -> Mapping[str, Sequence[Pair]]:
        """Pairs to train on and pairs held out; collected ones are on disk before they are used."""
        if not self._fit.rounds:
            return split_pairs(self._material.pairs, self._fit.eval_fraction, self._fit.seed)
        if resumed:
            return self._folder.load_pairs(number, self._program, self._pairs_digest)
        with self._record.phase("collect", number):
            collected = self._collector.collect(number)
        self._consider(collected.held_out_score, number)
        if self._workers.main:
            self._folder.save_pairs(number, self._program, collected.pairs)
            self._pairs_digest = self._folder.pairs_digest(number)
        self._workers.wait()
        if number:
            self._reference = copy_of(self._weights)
            self._set_reference()
        return collected.pairs

    def _interrupted(self) -> Interrupted:
        return Interrupted(f"interrupted; continue with: {self._folder.resume_command()}")

    def _evaluate(self, name: str) -> Evaluation | None:
        scorer = self._material.scorer
        if scorer is None or not self._material.eval_inputs:
            return None
        with self._record.phase(f"evaluate {name}"):
            answers = answered(
                self._system,
                self._material.eval_inputs,
                scorer,
                seed=derive(self._fit.seed, "evaluate"),
                reporter=self._reporter,
            )
        found = summarize([a.score for a in answers], scorer, [a.trace for a in answers])
        self._record.answers(name, self._program, answers)
        self._metrics.write({"evaluation": name, **found.metrics()})
        self._reporter.line(f"{name} training: {found}")
        return found

    def _record_credit(self) -> None:
        """Writes down who learned what, against the models before training.

        Of the last round's held-out pairs; where none are held out, of those trained on. The run is
        none the worse where that fails.
        """
        try:
            pairs = self._last_pairs()
            side = "held_out" if pairs["held_out"] else "train"
            data = "pairs held out" if pairs["held_out"] else "pairs trained on"
            for model in self._system.trained():
                self._system.set_reference(model, None)
            with self._record.phase("credit"):
                self._record.credit(self._system, pairs[side], data, self._reporter)
        except (InputError, RunError, OSError, torch.OutOfMemoryError) as error:
            self._reporter.line(f"warning: no credit was worked out: {error}")

    def _last_pairs(self) -> Mapping[str, Sequence[Pair]]:
        """The pairs of the last round that has some."""
        rounds = range(self._fit.rounds - 1, -1, -1)
        last = next((n for n in rounds if self._folder.has_pairs(n)), None)
        if last is None:
            return split_pairs(self._material.pairs, self._fit.eval_fraction, self._fit.seed)
        digest = self._folder.pairs_digest(last)
        return self._folder.load_pairs(last, self._program, digest)

    # ---- weights and state

    def _consider(self, score: float | None, number: int) -> None:
        """Keeps the current weights if held-out inputs score best under them; later ones win ties.

        Args:
            score: of the held-out inputs; None: none are held out.
            number: rounds that led to these weights.
        """
        if score is not None and (self._best_score is None or score >= self._best_score):
            self._best_score, self._best = score, copy_of(self._weights)
            self._best_round = number

    def _restore_best_round(self) -> None:
        if self._best:
            put(self._weights, self._best)
            self.best_round = self._best_round
            which = (
                f"went back to the weights after round {self._best_round} of {self._fit.rounds}"
                if 0 < self._best_round < self._fit.rounds
                else "the last round's weights are kept"
                if self._best_round
                else "went back to the weights from before training"
            )
            self._reporter.line(
                f"{which}: their samples have the best score on held-out inputs, "
                f"{self._best_score:.3f}"
            )

    def _set_reference(self) -> None:
        for model, weights in self._reference.items():
            self._system.set_reference(model, weights)

    def _save(self, state: State) -> None:
        """Saves a round's state (or that between two rounds) with what outlives rounds."""
        divided, main = self._is_divided, self._workers.main
        if main or divided:  # each process then writes its parts
            moments, optimization = self._optimization.state()
            tensors = {
                **flatten("policy", self._weights),
                **flatten("optimizer", moments),
                **flatten("reference", self._reference),
                **flatten("best_round", self._best),
                **state.tensors,
            }
            whole = State(tensors, {**self._info(optimization), **state.info} if main else {})
            if divided:
                save_parts(self._folder.state, whole, self._workers)
            else:
                save_state(self._folder.state, whole)
        self._workers.wait()

    def _info(self, optimization: Mapping[str, object]) -> dict[str, Any]:
        """What a state has as JSON, whatever round it is of."""
        size = self._metrics.size()
        return {
            **self._own_identity(),
            "surroundings": surroundings(self._workers, self._system),
            "data": self._digest,
            "pairs": self._pairs_digest,
            "kept": [one.model_dump() for one in self.kept],
            "best_round": self._best_round,
            "best_round_score": self._best_score,
            "before": self.before.model_dump() if self.before else None,
            "metrics_size": size,
            "metrics_digest": self._metrics.digest(size),
            "evidence": self._evidence.state(),
            "optimization": optimization,
        }

    def _load(self, state: State) -> int:
        """Goes on from `state`; the round to go on with."""
        info = state.info
        self._require_same(info)
        if info["data"] != self._digest:
            raise InputError(
                f"the data of {self._folder.root} changed since the run was stopped: put them back "
                "as they were, or start anew in another --output"
            )
        put(self._weights, state.under("policy"))
        self._reference, self._best = state.under("reference"), state.under("best_round")
        self._best_score, self._best_round = info["best_round_score"], info["best_round"]
        self.before = Evaluation(**info["before"]) if info["before"] else None
        self._evidence.load(info["evidence"])
        self._optimization.load(state.under("optimizer"), info["optimization"])
        self._set_reference()
        self._trackers.had(self._metrics.truncate(info["metrics_size"]))
        self._pairs_digest = info["pairs"]
        self.kept = [Kept(**one) for one in info["kept"]]
        changed = changes(info["surroundings"], surroundings(self._workers, self._system))
        if changed:
            self._reporter.line(
                f"warning: {listed(changed)}: the run goes on, but will not end to the bit as it "
                "would have"
            )
        number = int(info["round"])
        self._reporter.line(
            f"resuming {self._folder.root} at round {number + 1}, step {info.get('step', 0)}"
        )
        return number

    def _own_identity(self) -> dict[str, Any]:
        if not self._identity:
            self._identity = provenance(self._system)
        return self._identity

    def _require_same(self, info: Mapping[str, Any]) -> None:
        """Refuses a state of another program or of other bases, or whose metrics have gone.

        Raises:
            InputError: it is one.
        """
        own, where = self._own_identity(), self._folder
        if "program" not in info or "bases" not in info:
            raise InputError(
                f"{where.state} was written by another version of sysgraph: start anew in another "
                "--output"
            )
        changed = program_changes(info["program"], own["program"])
        if changed:
            raise InputError(
                f"{where.state} is the state of a run with other settings: {listed(changed)}. Put "
                "back its own state, or start anew in another --output"
            )
        for model, base in own["bases"].items():
            then = info["bases"].get(model)
            if then != base:
                raise InputError(
                    f"{where.root} was started with other weights of model {model!r} "
                    f"({self._program.models[model].kind}{_named(self._program, model)}): their "
                    f"digest was {then}, now is {base}. Put back the checkpoint of then, or start "
                    "anew in another --output"
                )
        if self._workers.main and info["metrics_digest"] != self._metrics.digest(
            info["metrics_size"]
        ):
            raise InputError(
                f"{where.metrics} is damaged: its first {info['metrics_size']} bytes are not those "
                "that the run wrote; put it back as it was, or start anew in another --output"
            )


def _named(program: Program, model: str) -> str:
    """Where a model's weights come from."""
    base = program.models[model].base
    return "" if base is None else f", id {base.id}"
