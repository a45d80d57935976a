"""`sysgraph.fit`: from a graph and preferences to a trained system, in one resumable run folder."""

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from safetensors import SafetensorError

import sysgraph_compiler
from sysgraph_compiler import Program, load
from sysgraph_compiler.checks.training import idle_rounds
from sysgraph_schemas import Graph

from ..data import load_inputs, load_pairs
from ..data.rows import Row, Source, read_rows
from ..measuring.evaluation import Evaluation
from ..measuring.scorers import Scorer, ScorerLike, as_scorer, find_scorer
from ..reports.credit import Credit
from ..reports.curves import charts
from ..reports.facts import read_facts, read_metrics
from ..reports.notebook import Figures, notebook
from ..reports.page import write_report
from ..support.errors import DataError, InputError, RunError, ServiceError
from ..support.files import damaged, read_json, write_text
from ..support.progress import Reporter
from ..support.servers import Servers
from ..system import System
from ..system.answerable import require_answerable
from ..system.binding import Elsewhere
from ..system.references import shelf
from .claims import Place
from .collecting import Material
from .folder import RunFolder
from .kept import Kept
from .learned import credit_of
from .needs import needs
from .session import Session
from .trackers import require_trackers
from .workers import Workers


@dataclass(frozen=True)
class Run:
    """A finished run. `before` and `after`: scores on `fit.eval_inputs`, None without them."""

    folder: Path
    before: Evaluation | None
    after: Evaluation | None

    def credit(
        self, data: Source | None = None, *, tools: Mapping[str, Any] | None = None
    ) -> Credit:
        """Which model learned what; see `learned.credit_of`."""
        return credit_of(self.folder, data, tools=tools)

    def report(self, file: str | Path | None = None) -> Path:
        """Writes the page of what was learned, by default `report.html` in the folder: its path."""
        target = Path(file) if file is not None else RunFolder(self.folder).report
        write_report(self.folder, target)
        return target

    @property
    def metrics(self) -> Any:
        """The lines of `metrics.jsonl`: a pandas DataFrame, without pandas a list of dicts."""
        lines = read_metrics(self.folder)
        try:
            pandas = import_module("pandas")
        except ImportError:
            return lines
        return pandas.DataFrame(lines)

    def plot(self) -> Figures:
        """The run's curves; a notebook shows them."""
        return Figures(tuple(one.svg for one in charts(read_facts(self.folder))))

    def _repr_html_(self) -> str:
        return notebook(self.folder)


def fit(
    graph: Graph | str | Path,
    *,
    data: Source | None = None,
    output: str | Path | None = None,
    resume: bool = False,
    overwrite: bool = False,
    scorer: ScorerLike | None = None,
    tools: Mapping[str, Any] | None = None,
    endpoints: Mapping[str, str] | None = None,
    servers: Servers | None = None,
    elsewhere: Elsewhere | None = None,
    reporter: Reporter | None = None,
) -> Run:
    """Trains every model of a system from preferences over its outputs.

    Args:
        graph: a graph, or the path of its file. `graph.fit` holds the settings.
        data: preference pairs (`fit.data`), trained on once instead of in rounds; or their rows.
        output: the run's folder; default `runs/NAME`.
        resume: go on with the run in `output`, or with the last one of that name.
        overwrite: remove the run in `output` first, if one is there; other files stay.
        scorer: scores outputs: a scorer, a function of a trace, or a name; default: `fit.scorer`.
        tools: your own tools by name: functions, or what `sysgraph.Tool` says.
        endpoints: addresses of hosted models, as `System` takes them.
        servers: where those are that a `sampler` names, as `System` takes them.
        elsewhere: engines that draw or search in place of those that train, as `System` takes them.
        reporter: shows progress; default: standard error.

    Raises:
        GraphError: the graph is wrong.
        InputError: the data, a model or the folder is; nothing was written.
        RunError: training failed, or was interrupted (`Interrupted`).
    """
    graph, rows = with_data(graph if isinstance(graph, Graph) else load(graph), data)
    program = sysgraph_compiler.compile(graph, tools=tools or {})
    place = Place(Path(output) if output is not None else None, graph.name, resume, overwrite)
    folder = place.look(program)
    if resume and folder.result.is_file():
        return _finished(folder)
    material = material_of(program, rows, as_scorer(scorer) if scorer is not None else None)
    workers = Workers(program.fit.mixed_precision)
    reporter = reporter or Reporter()
    reporter.only_if(workers.main)
    shelf(reporter)  # a switch that says neither is told before anything is written
    with contextlib.ExitStack() as stack:
        stack.enter_context(workers.failing_together())
        system = System(
            program,
            device=workers.device,
            endpoints=endpoints,
            servers=servers,
            elsewhere=elsewhere,
            sharding=workers.sharding(program, reporter),
        )
        system.tell(reporter)
        _check(system, material)
        workers.wait()  # every process has seen the folder as it was
        claimed = stack.enter_context(place.claim(graph, program)) if workers.main else None
        # One process claims it; the others read nothing there before that.
        (root,) = workers.gather([claimed.root] if claimed else [])
        run = _run(system, material, workers, RunFolder(root), reporter)
        workers.wait()
    return run


class Result(BaseModel):
    """What `result.json` holds. `kept` and `best_round` say which weights are in `models`.

    `kept`: of each round that held pairs out, what it ended with. `best_round`: the round after
    which the weights did best on held-out inputs (0: before training); None: the last one's.
    """

    before: Evaluation | None
    after: Evaluation | None
    kept: list[Kept] = []
    best_round: int | None = None


def _run(
    system: System, material: Material, workers: Workers, folder: RunFolder, reporter: Reporter
) -> Run:
    session = Session(system, material, workers=workers, folder=folder, reporter=reporter)
    try:
        session.run()
        if workers.main:
            result = Result(
                before=session.before,
                after=session.after,
                kept=session.kept,
                best_round=session.best_round,
            )
            write_text(folder.result, result.model_dump_json(indent=2) + "\n")
    except ServiceError as error:
        raise ServiceError(f"{error}\nwhen that is mended: {folder.resume_command()}") from error
    except (OSError, SafetensorError) as error:
        raise RunError(
            f"{_said(error, folder)}; when that is mended: {folder.resume_command()}"
        ) from error
    return Run(folder.root, session.before, session.after)


def _said(error: Exception, folder: RunFolder) -> str:
    """What could not be written, without the system's number for why."""
    if not isinstance(error, OSError) or error.strerror is None:
        return f"{error}"
    return f"cannot write {error.filename or folder.root}: {error.strerror}"


def _finished(folder: RunFolder) -> Run:
    remedy = "remove it, and resume the run"
    found = read_json(folder.result, remedy)
    try:
        result = Result.model_validate(found)
    except ValidationError as error:
        raise damaged(folder.result, f"{error.errors()[0]['msg']}", remedy) from None
    return Run(folder.root, result.before, result.after)


def with_data(graph: Graph, data: Source | None) -> tuple[Graph, Sequence[Row] | None]:
    """The graph with `data` in place of its own, and the rows if these are no file's."""
    if data is None:
        return graph, None
    rows = None if isinstance(data, str | Path) else read_rows(data)
    named = None if rows else str(data)  # rows have no name that a graph file could give
    settings = graph.fit.model_copy(update={"data": named, "rounds": 0})
    return graph.model_copy(update={"fit": settings}), rows


def material_of(program: Program, rows: Sequence[Row] | None, scorer: Scorer | None) -> Material:
    """Everything a run reads, checked before a model is loaded.

    Raises:
        InputError: there is nothing to train, or nothing to train on; or what there is, is wrong.
    """
    fit = program.fit
    if not any(term.status == "trained" for term in program.terms):
        raise InputError("nothing to train: every model is frozen or left out by `fit.train`")
    data = rows or fit.data
    if not fit.rounds and data is None:
        raise InputError(
            "nothing to train on: give preference pairs (--data FILE), or set fit.rounds, "
            "fit.inputs and fit.scorer to collect them from the system itself"
        )
    given = {"inputs": fit.inputs, "scorer": scorer or fit.scorer}
    missing = [idle_rounds.needs(key) for key, value in given.items() if value is None]
    if fit.rounds and missing:
        raise InputError("\n".join(f"error: {needed}" for needed in missing))
    require_trackers(fit.trackers or [])
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
        try:
            sides = needs(system.program, pair).sides
        except InputError as error:  # a template, on the pair's values
            problems.append(f"{pair.source}: {error}")
            continue
        for side, found in zip(("chosen", "rejected"), sides, strict=True):
            for variable, request in found.items():
                # What has no likelihood is never scored: it is frozen, and its term left out.
                has_one = system.program.models[request.model].likelihood != "none"
                problem = system.problem(request) if has_one else None
                if problem is not None:
                    problems.append(f"{pair.source}: {side}.{variable}: {problem}")
    if problems:
        raise DataError(problems)
