"""One study: its rows, made one after the other, and its files."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, Literal

import sysgraph_compiler
from sysgraph_compiler import Program, load
from sysgraph_schemas import Graph

from ..data import load_pairs
from ..measuring.judges import Judge
from ..measuring.scorers import Scorer, ScorerLike
from ..support.errors import InputError, Interrupted, RunError
from ..support.files import write_text
from ..support.progress import Reporter
from ..support.servers import Servers
from ..training.folder import RunFolder
from ..training.needs import has_gaps
from .bench import Bench, open_bench
from .curves import write_curves
from .cut_loops import CUT_JOINT, cut, cut_rows
from .folder import CURVES, TABLES
from .metrics import draws
from .results import Measurement, Study, StudyRow, mean_row
from .rows import Entry, training_rows
from .samplers import sampler_rows

Compared = Literal["training", "samplers"]
_NO_SAMPLERS = (
    "no samplers to compare: every value is observed; set fit.observed to the nodes whose values "
    "data holds"
)
_GOES_ON = "interrupted; the same study, started again, goes on here"


def study(
    graph: Graph | str | Path,
    *,
    output: str | Path,
    seeds: int = 5,
    compare: Compared = "training",
    scorer: ScorerLike | None = None,
    judge: ScorerLike | Judge | None = None,
    cut_loops: bool = False,
    overwrite: bool = False,
    tools: Mapping[str, Any] | None = None,
    endpoints: Mapping[str, str] | None = None,
    servers: Servers | None = None,
    reporter: Reporter | None = None,
    on_row: Callable[[StudyRow], None] = lambda row: None,
) -> Study:
    """Measures the system untrained and trained in several ways, on held-out inputs.

    `compare: training` (Tables 1 and 2 of arXiv 2502.17721) has the untrained system, the best of
    N answers, each model trained alone and all put together, and joint training on one loss of the
    whole system: see `training_rows`. `compare: samplers` (Figure 8) trains jointly with each
    sampler of the unobserved values.

    Every row has its answers' mean score, and how often they are better than the field `reference`
    of the inputs and than the untrained system's answers to the same inputs under the same seed.

    Every training is a run folder under `output`; called again, what is finished is read and a
    stopped run is resumed. A training that fails is named in its row and leaves the others alone.
    After every row the table is written (`study.json`, `samplers.json`), after the last one the
    trainings' curves: `curves.json`, `curves.svg` and, with the extra `draw`, `curves.png`
    (`samplers-curves.*`). Where the final outputs are images, `contact-sheet.png` then shows some
    of each training and of the untrained system.

    Args:
        seeds: how often each row is repeated, with `fit.seed` 0, 1, ...
        scorer: scores answers: a scorer, a function of a trace, or a name; default: `fit.scorer`.
        judge: says which of two answers is better, as `win_rate` takes it; default: the scorer.
        cut_loops: two more rows, of the system run as if it had no cycle: see `cut_rows`.
        overwrite: remove the study in `output` first, if one is there; other files stay.
        tools: your own tools by name: functions, or what `sysgraph.Tool` says.
        endpoints: addresses of hosted models, as `System` takes them.
        servers: where those are that a `sampler` names, as `System` takes them.
        on_row: called with each row as it is done.

    Raises:
        GraphError, InputError: the graph, or what it names, is wrong.
        Interrupted: a signal asked to stop.
    """
    graph = graph if isinstance(graph, Graph) else load(graph)
    program = sysgraph_compiler.compile(graph, tools=tools or {})
    unobserved = _lacks_values(program)
    if compare == "samplers" and not unobserved:
        raise InputError(_NO_SAMPLERS)
    if cut_loops and compare == "samplers":
        raise InputError("--cut-loops has rows beside the ways of training: leave out --compare")
    without = cut(graph) if cut_loops else None
    reporter, root = reporter or Reporter(), Path(output)
    opened = open_bench(
        graph,
        program,
        root,
        scorer,
        judge,
        reporter,
        overwrite=overwrite,
        endpoints=endpoints or {},
        servers=servers or Servers(),
    )
    with opened as bench:
        samplers = compare == "samplers"
        rows = sampler_rows(bench) if samplers else training_rows(bench, unobserved=unobserved)
        rows = chain(rows, cut_rows(bench, without)) if without is not None else rows
        try:
            result, runs = _compared(bench, rows, seeds, bench.root / TABLES[compare], on_row)
        except (Interrupted, KeyboardInterrupt):
            raise Interrupted(_GOES_ON) from None
        if bench.workers.main:
            write_curves(bench, runs, CURVES[compare])
            _write_pictures(bench, runs)
    return result


def _compared(
    bench: Bench,
    entries: Iterable[Entry],
    seeds: int,
    table: Path,
    on_row: Callable[[StudyRow], None],
) -> tuple[Study, dict[str, list[Path]]]:
    """The rows, each in `table` as soon as it is done, and the run folders of those that train."""
    result = Study(
        graph=bench.graph.name,
        scorer=bench.scorer.name,
        judge=bench.judge.name,
        inputs=str(bench.program.fit.eval_inputs),
        rows=[],
    )
    runs: dict[str, list[Path]] = {}
    for entry in entries:
        row = _row(entry, seeds, bench.scorer)
        result.rows.append(row)
        if entry.run is not None:
            runs[entry.name] = _finished(entry, seeds)
        if bench.workers.main:
            write_text(table, result.model_dump_json(indent=2) + "\n")
            on_row(row)
    return result, runs


def _write_pictures(bench: Bench, runs: Mapping[str, Sequence[Path]]) -> None:
    """A contact sheet of each training's first run, if the final outputs are images."""
    if any(bench.program.variable(name).type != "image" for name in bench.program.outputs):
        return
    # Pillow is there only with what draws images.
    from .contact_sheet import write_contact_sheet

    # The cut system is another one, and has no answers of this one's.
    whole = {name: folders for name, folders in runs.items() if name != CUT_JOINT}
    trained = {name: folders[:1] for name, folders in whole.items() if folders}
    write_contact_sheet(bench, {"before": [], **trained})


def _lacks_values(program: Program) -> bool:
    """Whether training sums over values that data does not hold."""
    if program.objective.method == "sampling":
        return True
    if program.fit.data is None or program.fit.rounds:
        return False
    return any(has_gaps(program, pair) for pair in load_pairs(program, program.fit.data))


def _row(entry: Entry, seeds: int, scorer: Scorer) -> StudyRow:
    """One row over all seeds, without those that fail."""
    found: list[Measurement] = []
    failures: list[str] = []
    for seed in range(seeds):
        try:
            found.append(entry.measure(seed))
        except Interrupted:
            raise
        except RunError as error:
            failures.append(f"{entry.name}, seed {seed}: {error}")
    of_runs = draws(entry.drawn, _finished(entry, seeds)) if entry.drawn is not None else None
    has_perfect = scorer.perfect is not None
    return mean_row(
        entry.name, entry.meaning, found, failures, has_perfect=has_perfect, draws=of_runs
    )


def _finished(entry: Entry, seeds: int) -> list[Path]:
    """The run folders of a row that have a result."""
    if entry.run is None:
        return []
    folders = [entry.run(seed) for seed in range(seeds)]
    return [folder for folder in folders if RunFolder(folder).result.is_file()]
