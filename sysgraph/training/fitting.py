"""`sysgraph.fit`: from a graph and preferences to a trained system, in one resumable run folder."""

import contextlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError

import sysgraph_compiler
from sysgraph_compiler import Program
from sysgraph_schemas import Graph, load

from ..answerable import require_answerable
from ..data import load_inputs, load_pairs
from ..data.rows import Row, Source, read_rows
from ..errors import DataError, InputError, RunError
from ..evaluation import Evaluation
from ..files import write_text
from ..progress import Reporter
from ..scorers import Scorer, ScorerLike, as_scorer, find_scorer
from ..system import System
from .collecting import Material
from .folder import RunFolder, choose_folder
from .pairs import gaps_of, observed_requests
from .session import Session
from .workers import Workers


@dataclass(frozen=True)
class Run:
    """A finished run. `before` and `after`: scores on `fit.eval_inputs`, None without them."""

    folder: Path
    before: Evaluation | None
    after: Evaluation | None


def fit(
    graph: Graph | str | Path,
    *,
    data: Source | None = None,
    output: str | Path | None = None,
    resume: bool = False,
    scorer: ScorerLike | None = None,
    reporter: Reporter | None = None,
) -> Run:
    """Trains every model of a system from preferences over its outputs.

    Args:
        graph: a graph, or the path of its file. `graph.fit` holds the settings.
        data: preference pairs (`fit.data`), trained on once instead of in rounds; or their rows.
        output: the run's folder; default `runs/NAME`.
        resume: go on with the run in `output`, or with the last one of that name.
        scorer: scores outputs: a scorer, a function of a trace, or a name; default: `fit.scorer`.
        reporter: shows progress; default: standard error.

    Raises:
        GraphError: the graph is wrong.
        InputError: the data, a model or the folder is; nothing was written.
        RunError: training failed, or was interrupted (`Interrupted`).
    """
    graph = graph if isinstance(graph, Graph) else load(graph)
    rows = None if data is None or isinstance(data, str | Path) else read_rows(data)
    if data is not None:
        named = None if rows else str(data)  # rows have no name that a graph file could give
        settings = graph.fit.model_copy(update={"data": named, "rounds": 0})
        graph = graph.model_copy(update={"fit": settings})
    program = sysgraph_compiler.compile(graph)
    folder = choose_folder(output, graph.name, resume=resume)
    if resume:
        folder.require_same(program)
        if folder.result.is_file():
            return _finished(folder)
    material = _material(program, rows, as_scorer(scorer) if scorer is not None else None)
    workers = Workers(program.fit.mixed_precision)
    reporter = reporter or Reporter()
    reporter.only_if(workers.main)
    system = System(program, device=workers.device)
    system.tell(reporter)
    _check(system, material)
    workers.wait()  # every process has seen the folder as it was
    with folder.claimed() if workers.main else contextlib.nullcontext():
        if workers.main:
            folder.start(graph, program)
        session = Session(system, material, workers=workers, folder=folder, reporter=reporter)
        try:
            session.run()
            run = Run(folder.root, session.before, session.after)
            if workers.main:
                write_text(folder.result, json.dumps(_result(run), indent=2) + "\n")
        except (OSError, SafetensorError) as error:
            raise RunError(f"{error}; when that is mended: {folder.resume_command()}") from error
    workers.wait()
    return run


def _result(run: Run) -> dict[str, object]:
    sides = {"before": run.before, "after": run.after}
    return {name: side.model_dump() if side else None for name, side in sides.items()}


def _finished(folder: RunFolder) -> Run:
    saved = json.loads(folder.result.read_text(encoding="utf-8"))
    before, after = (Evaluation(**saved[s]) if saved[s] else None for s in ("before", "after"))
    return Run(folder.root, before, after)


def _material(program: Program, rows: Sequence[Row] | None, scorer: Scorer | None) -> Material:
    """Everything a run reads, checked before a model is loaded."""
    fit = program.fit
    if not any(term.status == "trained" for term in program.terms):
        raise InputError("nothing to train: every model is frozen or left out by `fit.train`")
    data = rows or fit.data
    if not fit.rounds and data is None:
        raise InputError(
            "nothing to train on: give preference pairs (--data FILE), or set fit.rounds, "
            "fit.inputs and fit.scorer to collect them from the system itself"
        )
    if fit.rounds and (fit.inputs is None or (fit.scorer is None and scorer is None)):
        raise InputError("fit.rounds collects pairs: it needs fit.inputs and fit.scorer")
    if scorer is None and fit.scorer is not None:
        scorer = find_scorer(fit.scorer)
    material = Material(
        pairs=load_pairs(program, data) if data is not None and not fit.rounds else (),
        inputs=load_inputs(program, fit.inputs) if fit.rounds and fit.inputs else (),
        eval_inputs=load_inputs(program, fit.eval_inputs) if fit.eval_inputs and scorer else (),
        scorer=scorer,
    )
    if scorer is not None:
        scorer.require(material.inputs, str(fit.inputs))
        scorer.require(material.eval_inputs, str(fit.eval_inputs))
    return material


def _check(system: System, material: Material) -> None:
    """Refuses values that a model cannot score, and inputs that none can be asked about: DataError.

    Prompts that see unobserved values are not known before those are drawn.
    """
    fit = system.program.fit
    require_answerable(system, material.inputs, str(fit.inputs))
    require_answerable(system, material.eval_inputs, str(fit.eval_inputs))
    problems = []
    for pair in material.pairs:
        gaps = gaps_of(system.program, pair)
        try:
            sides = observed_requests(system.program, pair, gaps)
        except InputError as error:  # a template, on the pair's values
            problems.append(f"{pair.source}: {error}")
            continue
        for side, found in zip(("chosen", "rejected"), sides, strict=True):
            for variable, request in found.items():
                problem = system.problem(request)
                if problem is not None:
                    problems.append(f"{pair.source}: {side}.{variable}: {problem}")
    if problems:
        raise DataError(problems)
