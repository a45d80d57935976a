"""What every row of a study is measured with."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from sysgraph_compiler import Program
from sysgraph_schemas import Fit, Graph

from ..data import load_inputs
from ..measuring.evaluation import summarize
from ..measuring.judges import Judge, as_judge
from ..measuring.samples import Scored, sample_scored
from ..measuring.scorers import Scorer, ScorerLike, as_scorer
from ..measuring.winrate import WinRate, win_rate
from ..support.changes import changes, listed
from ..support.errors import InputError
from ..support.files import claimed, component, damaged, made, read_json, write_text
from ..support.manifest import MANIFEST, digest
from ..support.progress import Reporter
from ..support.seeding import derive
from ..support.servers import Servers
from ..system import System, occurrences_of
from ..training.fitting import fit
from ..training.folder import RunFolder
from ..training.workers import Workers
from .folder import StudyFolder
from .results import Measurement, Weights

REFERENCE = "reference"
"""The field of an input row that holds an answer to compare with."""


@dataclass(frozen=True)
class Bench:
    """A study's folder, held-out inputs and scorer.

    Every training is a run folder `root/ROW/seedN`, every measurement a file `root/ROW/seedN.json`.

    Args:
        before: of the system whose untrained answers others are compared with; None: this one.
    """

    graph: Graph
    program: Program
    root: Path
    inputs: Sequence[Mapping[str, Any]]
    scorer: Scorer
    judge: Scorer | Judge
    workers: Workers
    reporter: Reporter
    endpoints: Mapping[str, str] = field(default_factory=dict)
    servers: Servers = field(default_factory=Servers)
    before: "Bench | None" = None
    _prompted: dict[int, list[Scored]] = field(default_factory=dict)

    def folder(self, name: str, seed: int) -> Path:
        """Where one seed's training lies."""
        return self.root / component(name) / f"seed{seed}"

    def train(self, name: str, settings: Mapping[str, Any], seed: int) -> Measurement:
        """Trains with other `fit:` settings, or reads or resumes that run, and measures it."""
        run = self.run(with_fit(self.graph, {**settings, "seed": seed}), self.folder(name, seed))
        return self.measure(name, seed, trained=[run])

    def run(self, graph: Graph, folder: Path) -> Path:
        """Trains a system, unless it is; its folder."""
        run = RunFolder(folder)
        if not run.result.is_file():
            self.reporter.line(f"train {folder}")
        resume = run.program.is_file()
        fit(
            graph,
            output=folder,
            resume=resume,
            scorer=self.scorer,
            tools=self.program.bound.tools,
            endpoints=self.endpoints,
            servers=self.servers,
            reporter=self.reporter,
        )
        return folder

    def measure(
        self, name: str, seed: int, *, best_of: int = 1, trained: Sequence[Path] = ()
    ) -> Measurement:
        """Measures the system with the models of the runs `trained`, or reads what was measured.

        Another judge measures again, and a training that was made again.
        """
        file = self.folder(name, seed).with_suffix(".json")
        weights = self._weights(trained)
        found = self._measured(file, weights)
        if found is not None:
            return found
        self.reporter.line(f"measure {file}")
        answers = self.answers(seed, best_of=best_of, trained=trained)
        prompted = best_of == 1 and not trained and self.before is None
        if prompted:
            self._prompted[seed] = answers
        found = Measurement(
            judge=self.judge.name,
            weights=weights,
            evaluation=summarize(
                [answer.score for answer in answers],
                self.scorer,
                [answer.trace for answer in answers],
            ),
            against_reference=self._against_reference(answers),
            against_before=None if prompted else self._against_before(answers, seed),
        )
        self.workers.wait()  # no process may find the file that another one has to measure for
        if self.workers.main:
            file.parent.mkdir(exist_ok=True)
            write_text(file, found.model_dump_json(indent=2) + "\n")
        return found

    @cached_property
    def _bases(self) -> dict[str, str]:
        return System(self.program, device=self.workers.device).digests()

    def _weights(self, trained: Sequence[Path]) -> Weights:
        manifests = {run: RunFolder(run).models / MANIFEST for run in trained}
        return Weights(
            bases=self._bases,
            trained={
                run.relative_to(self.root).as_posix(): digest(file) if file.is_file() else ""
                for run, file in manifests.items()
            },
        )

    def _measured(self, file: Path, weights: Weights) -> Measurement | None:
        """What was measured of these weights; None where nothing was, or by another judge.

        Raises:
            InputError: the file is damaged, or is about other bases than the study's now.
        """
        if not file.is_file():
            return None
        remedy = "remove it, and start the study again"
        try:
            found = Measurement.model_validate(read_json(file, remedy))
        except ValidationError as error:
            raise damaged(file, f"{error.errors()[0]['msg']}", remedy) from None
        changed = changes(found.weights.bases, weights.bases)
        if changed:
            raise InputError(
                f"{file} was measured with other models: the digest of the weights of "
                f"{listed(changed)}. Put back the checkpoints of then, or start anew in another "
                "--output"
            )
        same = found.judge == self.judge.name and found.weights.trained == weights.trained
        return found if same else None

    def answers(
        self,
        seed: int,
        *,
        best_of: int = 1,
        trained: Sequence[Path] = (),
        only: Sequence[int] | None = None,
    ) -> list[Scored]:
        """One answer an input, drawn as `fit` draws them, so that rows differ by weights alone.

        Args:
            seed: of the answers.
            best_of: answers drawn, of which the best-scored is taken.
            trained: runs whose models the system has.
            only: the places of the inputs to answer, which changes no answer; default: all.
        """
        places = range(len(self.inputs)) if only is None else only
        occurrences = occurrences_of(self.program, self.inputs)
        system = System(
            self.program,
            device=self.workers.device,
            endpoints=self.endpoints,
            servers=self.servers,
        )
        for run in trained:
            system.load(run)
        with self.reporter.task("answer", len(places)) as task:
            scored = sample_scored(
                system,
                [self.inputs[place] for place in places],
                self.scorer,
                samples=best_of,
                seed=derive(seed, "evaluate"),
                occurrences=[occurrences[place] for place in places],
                advance=task.advance,
            )
        groups = (scored[i : i + best_of] for i in range(0, len(scored), best_of))
        return [max(group, key=lambda one: one.score) for group in groups]

    def _against_reference(self, answers: Sequence[Scored]) -> WinRate | None:
        texts = [row.get(REFERENCE) for row in self.inputs]
        pairs = [
            (answer.trace, text)
            for answer, text in zip(answers, texts, strict=True)
            if isinstance(text, str)
        ]
        if not pairs:
            return None
        return win_rate(
            self.judge, [a for a, _ in pairs], [b for _, b in pairs], reporter=self.reporter
        )

    def _against_before(self, answers: Sequence[Scored], seed: int) -> WinRate:
        if seed not in self._prompted:  # they were measured before the study was stopped
            self._prompted[seed] = (self.before or self).answers(seed)
        others = [answer.trace for answer in self._prompted[seed]]
        return win_rate(
            self.judge, [answer.trace for answer in answers], others, reporter=self.reporter
        )


@contextlib.contextmanager
def open_bench(
    graph: Graph,
    program: Program,
    root: Path,
    scorer: ScorerLike | None,
    judge: ScorerLike | Judge | None,
    reporter: Reporter,
    *,
    overwrite: bool = False,
    endpoints: Mapping[str, str],
    servers: Servers,
) -> Iterator[Bench]:
    """Checks what a study needs, and keeps its folder from other processes until it is done.

    What fails before anything is measured leaves nothing there.

    Raises:
        InputError: something is missing, or the folder is in use; nothing was written.
    """
    named = graph.fit.scorer if scorer is None else scorer
    if named is None:
        raise InputError("a study scores answers: set fit.scorer")
    scorer = as_scorer(named)
    if graph.fit.eval_inputs is None:
        raise InputError("a study measures on held-out inputs: set fit.eval_inputs")
    inputs = load_inputs(program, graph.fit.eval_inputs)
    if not inputs:
        raise InputError(f"a study measures on held-out inputs: {graph.fit.eval_inputs} has none")
    scorer.require(inputs, graph.fit.eval_inputs)
    judge = scorer if judge is None else as_judge(judge)
    folder = StudyFolder(root)
    folder.require(program, overwrite=overwrite)
    workers = Workers(program.fit.mixed_precision)
    reporter.only_if(workers.main)
    workers.wait()
    with contextlib.ExitStack() as stack:
        if workers.main:
            stack.enter_context(made(root))
            stack.enter_context(claimed(root))
            folder.require(program, overwrite=overwrite)
            if overwrite:
                folder.clear()
            RunFolder(root).start(graph, program)
        workers.wait()  # no process trains in a folder that is not claimed yet
        try:
            yield Bench(
                graph,
                program,
                root,
                inputs,
                scorer,
                judge,
                workers,
                reporter,
                endpoints,
                servers,
            )
        except InputError:
            if workers.main and folder.is_empty:
                folder.clear()
            raise


def with_fit(graph: Graph, settings: Mapping[str, Any]) -> Graph:
    """The graph with some of its `fit:` settings replaced."""
    changed = {**graph.fit.model_dump(exclude_unset=True), **settings}
    return graph.model_copy(update={"fit": Fit.model_validate(changed)})
