"""`sysgraph.study`: is joint training worth it? Each way of training, over several seeds, in one table."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel

import sysgraph_compiler
from sysgraph_schemas import Fit, Graph, load

from .data import load_inputs
from .engines.seeding import derive
from .errors import InputError
from .evaluation import Estimate, Evaluation, estimate, evaluate
from .progress import Reporter
from .scorers import Scorer, find_scorer
from .system import System
from .training.checkpoint import write_text
from .training.fitting import fit


class Row(BaseModel):
    """One way of using or training the system: means over seeds with 95 % intervals."""

    name: str
    score: Estimate
    perfect: Estimate | None
    failed: Estimate
    seeds: list[Evaluation]


class Study(BaseModel):
    """A study's rows. `scorer` and `inputs` say what was measured on what."""

    graph: str
    scorer: str
    inputs: str
    rows: list[Row]


@dataclass(frozen=True)
class _Variant:
    name: str
    settings: dict[str, Any]
    """What it changes in `fit:`."""


def study(
    graph: Graph | str | Path,
    *,
    output: str | Path,
    seeds: int = 3,
    scorer: Scorer | None = None,
    reporter: Reporter | None = None,
    on_row: Callable[[Row], None] = lambda row: None,
) -> Study:
    """Before, best-of-n, each model alone, separate DPO and joint training, on held-out inputs.

    Every training is a run folder under `output`; called again, finished ones are read and a
    stopped one is resumed. The study is written to `output/study.json` after every row.

    Args:
        seeds: how often each row is repeated, with `fit.seed` 0, 1, ...
        on_row: called with each row as it is done.

    Raises:
        GraphError, InputError: the graph, or what it names, is wrong.
        RunError: a training failed.
    """
    graph = graph if isinstance(graph, Graph) else load(graph)
    program = sysgraph_compiler.compile(graph)
    if scorer is None:
        if graph.fit.scorer is None:
            raise InputError("a study scores answers: set fit.scorer")
        scorer = find_scorer(graph.fit.scorer)
    if graph.fit.eval_inputs is None:
        raise InputError("a study measures on held-out inputs: set fit.eval_inputs")
    inputs = load_inputs(program, graph.fit.eval_inputs)
    reporter = reporter or Reporter()
    root = Path(output)
    result = Study(graph=graph.name, scorer=scorer.name, inputs=graph.fit.eval_inputs, rows=[])

    def add(name: str, evaluations: list[Evaluation]) -> None:
        row = _row(name, evaluations)
        result.rows.append(row)
        write_text(root / "study.json", result.model_dump_json(indent=2) + "\n")
        on_row(row)

    system = System(program)
    for name, best_of in (("before", 1), (f"best of {graph.fit.samples}", graph.fit.samples)):
        add(
            name,
            [
                evaluate(
                    system,
                    inputs,
                    scorer,
                    best_of=best_of,
                    seed=derive(s, "evaluate"),
                    reporter=reporter,
                )
                for s in range(seeds)
            ],
        )
    trained = system.trained()
    del system
    for variant in _variants(trained):
        evaluations = []
        for seed in range(seeds):
            reporter.line(f"{variant.name}, seed {seed}")
            one = _with(graph, {**variant.settings, "seed": seed})
            folder = root / variant.name.replace(" ", "-") / f"seed{seed}"
            run = fit(
                one,
                output=folder,
                resume=(folder / "program.json").is_file(),
                scorer=scorer,
                reporter=reporter,
            )
            assert run.after is not None
            evaluations.append(run.after)
        add(variant.name, evaluations)
    return result


def _variants(trained: tuple[str, ...]) -> Iterator[_Variant]:
    if len(trained) > 1:
        for model in trained:
            yield _Variant(f"{model} alone", {"train": [model]})
        yield _Variant("separate", {"credit": "node"})
    yield _Variant("joint", {})


def _with(graph: Graph, settings: dict[str, Any]) -> Graph:
    fit_settings = Fit.model_validate({**graph.fit.model_dump(exclude_unset=True), **settings})
    return graph.model_copy(update={"fit": fit_settings})


def _row(name: str, evaluations: list[Evaluation]) -> Row:
    def over(value: Callable[[Evaluation], float | None]) -> Estimate:
        found = [value(e) for e in evaluations]
        return estimate([v for v in found if v is not None])

    perfect = evaluations[0].perfect is not None
    return Row(
        name=name,
        score=over(lambda e: e.score.mean),
        perfect=over(lambda e: e.perfect.mean if e.perfect else None) if perfect else None,
        failed=over(lambda e: e.failed),
        seeds=evaluations,
    )
