"""I: the processor time of `make fit` on a machine where nothing is cached, with one thread."""

import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from .row import Options, Row

ROOT = Path(__file__).parents[1]


def rows(options: Options) -> Iterator[Row]:
    command = [sys.executable, "-m", "sysgraph", "fit", "graphs/moa.yaml"]
    if options.quick:
        command += ["--set", "fit.rounds=1", "--set", "fit.steps=1"]
    with tempfile.TemporaryDirectory() as folder:
        fresh = {"SYSGRAPH_CACHE": f"{folder}/cache", "OMP_NUM_THREADS": "1"}
        before = _seconds()
        done = subprocess.run(
            [*command, "--output", f"{folder}/run"],
            cwd=ROOT,
            env={**os.environ, **fresh},
            capture_output=True,
            text=True,
        )
        taken = _seconds() - before
    if done.returncode:
        raise RuntimeError(f"`make fit` failed: {done.stderr.strip()}")
    yield Row(
        "I",
        "`make fit` with an empty cache",
        "-",
        taken / 60,
        4.0,
        at_most=True,
        measure="minutes of one core",
        times={"sysgraph": [taken]},
    )


def _seconds() -> float:
    """Processor time of all processes that were started and have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
