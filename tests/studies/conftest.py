"""Two small systems of tables, and studies of them made by hand."""

import json
import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import scipy.stats

import sysgraph
from sysgraph import Scorer, Trace
from sysgraph.studies import Study, StudyRow
from sysgraph.support.progress import Reporter
from sysgraph.support.seeding import derive

INPUTS = [f"x{i}" for i in range(6)]
T_975 = {2: 12.706204736, 3: 4.302652730}  # Student's t, by number of values

VALUES = ["a", "b", "c"]

Build = Callable[..., sysgraph.Graph]


def write_inputs(folder: Path) -> Path:
    """Six questions; four of them have a reference answer."""
    rows = [{"x": x, **({"reference": "b"} if i < 4 else {})} for i, x in enumerate(INPUTS)]
    file = folder / "inputs.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


def twins_graph(inputs: Path, **fit: Any) -> sysgraph.Graph:
    """Two tables that say a, b or c, each to the input alone; only together they are right."""
    table = {"kind": "table", "values": VALUES}
    return _graph(
        name="twins",
        models={"m": table, "n": table},
        nodes={
            "left": {"kind": "lm", "model": "m", "prompt": "{{ x }}"},
            "right": {"kind": "lm", "model": "n", "prompt": "{{ x }}"},
        },
        edges=["x -> left, right"],
        outputs=["left", "right"],
        fit=_settings(inputs) | fit,
    )


def chain_graph(inputs: Path, **fit: Any) -> sysgraph.Graph:
    """x -> y -> z by two tables, of which data holds z alone. n also knows what to say to an x."""
    return _graph(
        name="chain",
        models={
            "m": {"kind": "table", "values": VALUES, "contexts": INPUTS},
            "n": {"kind": "table", "values": VALUES, "contexts": [*INPUTS, *VALUES]},
        },
        nodes={
            "y": {"kind": "lm", "model": "m", "prompt": "{{ x }}"},
            "z": {"kind": "lm", "model": "n", "prompt": "{{ y }}"},
        },
        edges=["x -> y", "y -> z"],
        outputs=["z"],
        fit=_settings(inputs) | {"observed": ["z"], "anchor": 0.1} | fit,
    )


def _graph(*, nodes: dict[str, Any], **parts: Any) -> sysgraph.Graph:
    plain = {"sysgraph": 1, "nodes": {"x": {"kind": "input"}, **nodes}, **parts}
    return sysgraph.load(json.dumps(plain))


def _settings(inputs: Path) -> dict[str, Any]:
    return {
        "inputs": str(inputs),
        "eval_inputs": str(inputs),
        "rounds": 2,
        "samples": 3,
        "steps": 5,
        "batch_size": 4,
        "learning_rate": 0.5,
        "eval_fraction": 0,
    }


@pytest.fixture
def inputs(tmp_path: Path) -> Path:
    return write_inputs(tmp_path)


@pytest.fixture
def twins(inputs: Path) -> Build:
    return lambda **fit: twins_graph(inputs, **fit)


@pytest.fixture
def chain(inputs: Path) -> Build:
    return lambda **fit: chain_graph(inputs, **fit)


@dataclass(frozen=True)
class Finished:
    """A study of two seeds that tests read and leave as it is."""

    graph: sysgraph.Graph
    root: Path
    study: Study

    def row(self, name: str) -> StudyRow:
        return next(row for row in self.study.rows if row.name == name)


@pytest.fixture(scope="session")
def trainings(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """The chain trained in every way, with pairs held out."""
    folder = tmp_path_factory.mktemp("trainings")
    graph = chain_graph(write_inputs(folder), eval_fraction=0.4, eval_every=2)
    return Finished(graph, folder / "study", run(graph, folder / "study", seeds=2))


def count(traces: Sequence[Trace]) -> list[float]:
    """How many of the outputs say a."""
    return [float(t.output().count("a")) for t in traces]


COUNT = Scorer("count", count, perfect=2)


def run(graph: sysgraph.Graph, output: Path, **options: Any) -> Study:
    options = {"scorer": COUNT, "seeds": 1, **options}
    return sysgraph.study(graph, output=output, reporter=Reporter(shown=False), **options)


def answers(
    graph: sysgraph.Graph, seed: int, folders: Sequence[Path] = (), n: int = 1
) -> list[list[str]]:
    """The texts that a system gives with these runs' models: n for each input."""
    system = sysgraph.System(sysgraph.compile(graph), device="cpu")
    for folder in folders:
        system.load(folder)
    traces = system.sample([{"x": x} for x in INPUTS], n=n, seed=derive(seed, "evaluate"))
    texts = [trace.output() for trace in traces]
    return [texts[i : i + n] for i in range(0, len(texts), n)]


def mean(values: list[float]) -> dict[str, Any]:
    """What an `Estimate` of these values holds."""
    mean, half = statistics.fmean(values), None
    if not math.isclose(min(values), max(values)):
        half = T_975[len(values)] * statistics.stdev(values) / math.sqrt(len(values))
    return {
        "mean": pytest.approx(mean),
        "low": None if half is None else pytest.approx(mean - half, abs=1e-9),
        "high": None if half is None else pytest.approx(mean + half, abs=1e-9),
        "n": len(values),
    }


def mean_share(values: list[float], n: int) -> dict[str, Any]:
    """The same of shares of n answers each: of one seed's where all agree."""
    found = mean(values)
    if found["low"] is None:
        low, high = scipy.stats.binomtest(round(n * values[0]), n).proportion_ci(method="wilson")
    else:
        low, high = max(found["low"].expected, 0), min(found["high"].expected, 1)
    return {
        **found,
        "low": pytest.approx(low, abs=1e-9),
        "high": pytest.approx(high, abs=1e-9),
    }
