"""J: what `fit --dry-run` foresees, against what the training then takes.

Each system is trained in a process of its own, on a CPU, after it was foreseen there, which loads
all code. Two things are measured at their most: the bytes of tensors, counted as operations make
and lose them, and how much larger the process gets (its resident set), where the C library gives
large blocks back (`MALLOC_MMAP_THRESHOLD_=65536`).
"""

import gc
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import nn

from .foreseen_graphs import GRAPHS, score
from .peaks import memory_now, memory_peak
from .row import Options, Row

WITHIN = 1.15
_MIB = 2**20


def rows(options: Options) -> Iterator[Row]:
    for name in GRAPHS:
        found = _alone(options, name)
        for what in ("tensors", "process"):
            pair = found["foreseen"], found[what]
            yield Row(
                "J",
                f"dry run of {name}",
                f"what a training takes: {_WHAT[what]}",
                max(pair) / min(pair),
                WITHIN,
                at_most=True,
                measure="foreseen and measured, the larger / the smaller",
                memory={"foreseen": pair[0], "measured": pair[1]},
                note=found["parts"] if what == "tensors" else "",
            )


_WHAT = {"tensors": "bytes of tensors", "process": "growth of the process"}


def _alone(options: Options, name: str) -> dict[str, Any]:
    """MiB that are foreseen and measured, in a process of its own."""
    told = [str(options.language_model), options.quick, name]
    environment = {**os.environ, "MALLOC_MMAP_THRESHOLD_": "65536"}
    done = subprocess.run(
        [sys.executable, "-m", __name__, json.dumps(told)],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[1],
        env=environment,
    )
    if done.returncode:
        raise RuntimeError(f"{name}: {done.stderr.strip()}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    options.tell(f"{name}: {found}")
    return found


def _measured(options: Options, name: str) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as place:
        graph = GRAPHS[name](options, Path(place))
        found = _foreseen(graph)  # which loads all code, too
        gc.collect()
        start = memory_now()
        tensors, process = _fit(graph, Path(place))
    parts = {"between passes": found.places[0].lasting, "passes": found.step.activations}
    for what, several in (("samples", found.samples), ("latent", found.latent)):
        if several:
            parts[what] = max(one.memory for one in several)
    return {
        "foreseen": found.peak / _MIB,
        "tensors": tensors / _MIB,
        "process": process - start,
        "parts": "foreseen: "
        + ", ".join(f"{k} {v / _MIB:,.0f}" for k, v in parts.items())
        + " MiB",
    }


def _foreseen(graph: Any) -> Any:
    from sysgraph.forecasting import forecast

    return forecast(graph, scorer=score, device="cpu")


def _fit(graph: Any, folder: Path) -> tuple[int, float]:
    """Trains; the most bytes of tensors, and MiB of the process."""
    from sysgraph.forecasting.allocations import Allocations
    from sysgraph.support.progress import Reporter
    from sysgraph.training import fitting

    run: Any = fitting._run
    found: list[int] = []

    def counted(*args: Any) -> Any:
        start = _alive()
        with Allocations() as allocations:
            out = run(*args)
        found.append(start + allocations.most_ever)
        return out

    fitting._run = counted  # type: ignore[assignment]
    try:
        with memory_peak() as peak:
            given = score if graph.fit.rounds else None
            fitting.fit(graph, output=folder / "run", scorer=given, reporter=Reporter(shown=False))
    finally:
        fitting._run = run
    return found[0], peak[0]


def _alive() -> int:
    """Bytes of all tensors that have numbers."""
    tensors = (one for one in gc.get_objects() if type(one) in (torch.Tensor, nn.Parameter))
    storages = {t.untyped_storage()._cdata: t.untyped_storage().nbytes() for t in tensors}
    return sum(storages.values())


def _main() -> None:
    model, quick, name = json.loads(sys.argv[1])
    print(json.dumps(_measured(Options(model=Path(model), quick=quick), name)))


if __name__ == "__main__":
    _main()
