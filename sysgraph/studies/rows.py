"""The rows of a study: ways of using and training one system."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..support.errors import RunError
from ..training.folder import RunFolder
from .alone import Separate
from .bench import Bench
from .results import Measurement


@dataclass(frozen=True)
class Entry:
    """How a row is made.

    Args:
        meaning: what the row is, in a sentence.
        measure: from a seed to its measurement; raises RunError.
        run: from a seed to the run folder whose training makes the row, if one does.
        drawn: trajectories it draws per pair, where rows differ by what is drawn.
    """

    name: str
    meaning: str
    measure: Callable[[int], Measurement]
    run: Callable[[int], Path] | None = None
    drawn: int | None = None


def training_rows(bench: Bench, *, unobserved: bool) -> Iterator[Entry]:
    """The rows of `study`, in order.

    - `before`: the system untrained;
    - `best of N`: untrained, the best-scored of N answers, N being `fit.samples`;
    - `separate DPO`: each model trained by DPO as if it alone answered, on a graph of one node, by
      the inputs and final answers of the same pairs (with `fit.rounds`, in as many rounds on pairs
      of its own answers); then put together. Its prompt is that of a node of it which sees the
      inputs alone, or else the input;
    - `MODEL alone`, for each: trained inside the system on the system's loss, all others as they
      were;
    - `separate`: the models of those rows, put together;
    - `per node`: all at once, but each by the losses of its own nodes;
    - `one sample`: as `joint`, with one independent draw of the unobserved values in place of the
      sum, the plain baseline of SysDPO-Sampling;
    - `joint`: all at once, on one loss of the whole system.

    `separate DPO` and `one sample` are there where data lacks values of the system (`fit.observed`,
    or pairs that do not hold them), `per node` where it does not: a node without a value has no
    loss of its own. A system with one model has no rows about several.

    Args:
        unobserved: whether data lacks values of the system.
    """
    samples = bench.program.fit.samples
    best = f"best of {samples}"
    yield Entry("before", "the system untrained", lambda seed: bench.measure("before", seed))
    yield Entry(
        best,
        f"the system untrained, the best-scored of {samples} answers",
        lambda seed: bench.measure(best, seed, best_of=samples),
    )
    models = trained_models(bench)
    if len(models) > 1:
        yield from _apart(bench, models, unobserved)
    if unobserved:
        yield from _one_sample(bench, models)
    yield training(bench, "joint", _joint_meaning(bench, unobserved), {"credit": "system"})


def training(
    bench: Bench,
    name: str,
    meaning: str,
    settings: Mapping[str, Any],
    *,
    folder: str | None = None,
    drawn: int | None = None,
) -> Entry:
    """A training of the system with other `fit:` settings, in `folder` or one of the row's name."""
    place = folder or name
    return Entry(
        name,
        meaning,
        lambda seed: bench.train(place, settings, seed),
        lambda seed: bench.folder(place, seed),
        drawn,
    )


def trained_models(bench: Bench) -> list[str]:
    """The models that training changes, in the graph's order."""
    trained = {t.model for t in bench.program.terms if t.status == "trained"}
    return [model for model in bench.program.models if model in trained]


def _apart(bench: Bench, models: Sequence[str], unobserved: bool) -> Iterator[Entry]:
    """Where several models train: everything between none and all of them at once."""
    if unobserved:
        separate = Separate.of(bench, models)
        if separate is not None:
            yield Entry(Separate.NAME, separate.meaning, separate.measure)
    for model in models:
        meaning = f"only {model} trained, inside the system; the others as they were"
        settings = {"train": [model], "credit": "system"}
        yield training(bench, f"{model} alone", meaning, settings)
    together = " and ".join(f"{model} alone" for model in models)
    yield Entry(
        "separate",
        f"the models of {together}, put together",
        lambda seed: _put_together(bench, models, seed),
    )
    if not unobserved:
        meaning = "all trained at once, each by the losses of its own nodes"
        yield training(bench, "per node", meaning, {"credit": "node"})


def _put_together(bench: Bench, models: Sequence[str], seed: int) -> Measurement:
    """The models that were trained alone with this seed, in one system."""
    runs = {model: RunFolder(bench.folder(f"{model} alone", seed)) for model in models}
    missing = [model for model, run in runs.items() if not run.result.is_file()]
    if missing:
        raise RunError(f"not trained alone: {', '.join(missing)}")
    return bench.measure("separate", seed, trained=[run.root for run in runs.values()])


def _one_sample(bench: Bench, models: Sequence[str]) -> Iterator[Entry]:
    """Plain DPO on one drawn trajectory, where that is not what the graph does anyway."""
    fit, objective = bench.program.fit, bench.program.objective
    if fit.sampling.k == 1:
        return
    taught = {t.model for t in bench.program.terms if t.variable not in objective.latent}
    # With one trajectory its own likelihood is on both sides and cancels but for the anchor.
    names = [model for model in models if fit.anchor or model in taught]
    if not names:
        return
    only = "" if len(names) == len(models) else f", which teaches {', '.join(names)} alone"
    yield training(
        bench,
        "one sample",
        f"as joint, with one draw of what data lacks in place of the sum{only}",
        {"credit": "system", "train": names, "sampling": {"sampler": "ancestral", "k": 1}},
    )


def _joint_meaning(bench: Bench, unobserved: bool) -> str:
    if not unobserved:
        return "all trained at once on one loss of the system (SysDPO-Direct)"
    sampling = bench.program.fit.sampling
    return (
        "all trained at once on one loss of the system, summed over what data lacks "
        f"(SysDPO-Sampling, {sampling.sampler}, k = {sampling.k})"
    )
