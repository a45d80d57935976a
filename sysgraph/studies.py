"""`sysgraph.study`: is joint training worth it? Ways of training, in one table."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel

import sysgraph_compiler
from sysgraph_compiler import Program
from sysgraph_schemas import Fit, Graph, load

from .data import load_inputs
from .engines.seeding import derive
from .errors import InputError, RunError
from .evaluation import Estimate, Evaluation, estimate, evaluate
from .files import write_text
from .progress import Reporter
from .scorers import Scorer, find_scorer
from .system import System
from .training.fitting import fit
from .training.folder import RunFolder
from .training.session import Interrupted
from .training.workers import Workers


class Row(BaseModel):
    """One way of using or training the system: means over seeds with 95 % intervals.

    `seeds` are the evaluations that the means are of, `failures` what kept others from being made.
    """

    name: str
    score: Estimate
    perfect: Estimate | None
    failed: Estimate
    seeds: list[Evaluation]
    failures: list[str] = []


class Study(BaseModel):
    """A study's rows. `scorer` and `inputs` say what was measured on what."""

    graph: str
    scorer: str
    inputs: str
    rows: list[Row]


def study(
    graph: Graph | str | Path,
    *,
    output: str | Path,
    seeds: int = 5,
    scorer: Scorer | None = None,
    reporter: Reporter | None = None,
    on_row: Callable[[Row], None] = lambda row: None,
) -> Study:
    """Measures the system untrained and trained in several ways, on held-out inputs.

    The rows: `before`; `best of N` untrained answers, N being `fit.samples`; `MODEL alone`, all
    others as they were; `separate`, the models that were each trained alone put together; `per
    node`, all at once but each by its own nodes' losses; `joint`. A system with one model has no
    rows between `best of N` and `joint`.

    Every training is a run folder under `output`; called again, what is finished is read and a
    stopped run is resumed. A training that fails is named in its row and leaves the others alone.
    The study is written to `output/study.json` after every row.

    Args:
        seeds: how often each row is repeated, with `fit.seed` 0, 1, ...
        scorer: scores answers; default: the one registered under `fit.scorer`.
        on_row: called with each row as it is done.

    Raises:
        GraphError, InputError: the graph, or what it names, is wrong.
        Interrupted: a signal asked to stop.
    """
    graph = graph if isinstance(graph, Graph) else load(graph)
    program = sysgraph_compiler.compile(graph)
    bench = _bench(graph, program, Path(output), scorer, reporter or Reporter())
    result = Study(
        graph=graph.name, scorer=bench.scorer.name, inputs=str(program.fit.eval_inputs), rows=[]
    )
    for name, measure in _rows(bench):
        try:
            row = _row(name, bench.scorer, measure, seeds)
        except (Interrupted, KeyboardInterrupt):
            raise Interrupted("interrupted; the same study, started again, goes on here") from None
        result.rows.append(row)
        if bench.workers.main:
            write_text(bench.root / "study.json", result.model_dump_json(indent=2) + "\n")
            on_row(row)
    return result


@dataclass(frozen=True)
class _Bench:
    """What every row is measured with."""

    graph: Graph
    program: Program
    root: Path
    inputs: Sequence[Mapping[str, Any]]
    scorer: Scorer
    workers: Workers
    reporter: Reporter

    def folder(self, name: str, seed: int) -> Path:
        """Where one seed's training or evaluation lies."""
        return self.root / name.replace(" ", "-") / f"seed{seed}"

    def train(self, name: str, settings: Mapping[str, Any], seed: int) -> Evaluation:
        """Trains with other `fit:` settings, or reads or resumes that run."""
        self.reporter.line(f"{name}, seed {seed}")
        changed = {**self.graph.fit.model_dump(exclude_unset=True), **settings, "seed": seed}
        graph = self.graph.model_copy(update={"fit": Fit.model_validate(changed)})
        folder = self.folder(name, seed)
        run = fit(
            graph,
            output=folder,
            resume=RunFolder(folder).program.is_file(),
            scorer=self.scorer,
            reporter=self.reporter,
        )
        assert run.after is not None  # a study has held-out inputs and a scorer
        return run.after

    def measure(
        self, name: str, seed: int, *, best_of: int = 1, trained: Sequence[Path] = ()
    ) -> Evaluation:
        """Evaluates the system with the models of the runs `trained`, or reads that evaluation."""
        file = self.folder(name, seed).with_suffix(".json")
        if file.is_file():
            return Evaluation(**json.loads(file.read_text(encoding="utf-8")))
        self.reporter.line(f"{name}, seed {seed}")
        system = System(self.program, device=self.workers.device)
        for run in trained:
            system.load(run)
        found = evaluate(
            system,
            self.inputs,
            self.scorer,
            best_of=best_of,
            seed=derive(seed, "evaluate"),  # as `fit` evaluates, so that rows differ by weights
            reporter=self.reporter,
        )
        self.workers.wait()  # no process may find the file that another one has to measure for
        if self.workers.main:
            file.parent.mkdir(exist_ok=True)
            write_text(file, found.model_dump_json(indent=2) + "\n")
        return found


def _bench(
    graph: Graph, program: Program, root: Path, scorer: Scorer | None, reporter: Reporter
) -> _Bench:
    """Checks what a study needs, and claims its folder."""
    if scorer is None:
        if graph.fit.scorer is None:
            raise InputError("a study scores answers: set fit.scorer")
        scorer = find_scorer(graph.fit.scorer)
    if graph.fit.eval_inputs is None:
        raise InputError("a study measures on held-out inputs: set fit.eval_inputs")
    inputs = load_inputs(program, graph.fit.eval_inputs)
    folder = RunFolder(root)
    if folder.program.is_file():
        folder.require_same(program)
    elif root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise InputError(f"{root} exists and holds no study: choose another --output")
    workers = Workers(program.fit.mixed_precision)
    reporter.only_if(workers.main)
    workers.wait()
    if workers.main:
        folder.start(graph, program)
    return _Bench(graph, program, root, inputs, scorer, workers, reporter)


Measure = Callable[[int], Evaluation]
"""From a seed to its evaluation; raises RunError."""


def _rows(bench: _Bench) -> Iterator[tuple[str, Measure]]:
    """The rows of a study in order, and how to make each."""
    samples = bench.program.fit.samples
    best_of = f"best of {samples}"
    yield "before", lambda seed: bench.measure("before", seed)
    yield best_of, lambda seed: bench.measure(best_of, seed, best_of=samples)
    trained = {str(t.model): None for t in bench.program.terms if t.status == "trained"}
    models = [model for model in bench.program.models if model in trained]
    if len(models) > 1:
        for model in models:
            settings = {"train": [model], "credit": "system"}
            yield f"{model} alone", _training(bench, f"{model} alone", settings)
        yield "separate", lambda seed: _separate(bench, models, seed)
        yield "per node", _training(bench, "per node", {"credit": "node"})
    yield "joint", _training(bench, "joint", {"credit": "system"})


def _training(bench: _Bench, name: str, settings: Mapping[str, Any]) -> Measure:
    return lambda seed: bench.train(name, settings, seed)


def _separate(bench: _Bench, models: Sequence[str], seed: int) -> Evaluation:
    """The models that were trained alone with this seed, in one system."""
    runs = {model: RunFolder(bench.folder(f"{model} alone", seed)) for model in models}
    missing = [model for model, run in runs.items() if not run.result.is_file()]
    if missing:
        raise RunError(f"not trained alone: {', '.join(missing)}")
    return bench.measure("separate", seed, trained=[run.root for run in runs.values()])


def _row(name: str, scorer: Scorer, measure: Measure, seeds: int) -> Row:
    """One row over all seeds, without those that fail."""
    found: list[Evaluation] = []
    failures: list[str] = []
    for seed in range(seeds):
        try:
            found.append(measure(seed))
        except Interrupted:
            raise
        except RunError as error:
            failures.append(f"{name}, seed {seed}: {error}")
    scores = [e.score.mean for e in found if e.score.mean is not None]
    perfect = [e.perfect.mean for e in found if e.perfect and e.perfect.mean is not None]
    return Row(
        name=name,
        score=estimate(scores),
        perfect=None if scorer.perfect is None else estimate(perfect),
        failed=estimate([e.failed for e in found]),
        seeds=found,
        failures=failures,
    )
