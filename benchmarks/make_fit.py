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
        few = ("rounds=1", "steps=1", "warmup_steps=0", "eval_fraction=0")
        command += [part for setting in few for part in ("--set", f"fit.{setting}")]
    with tempfile.TemporaryDirectory() as folder:
        fresh = {"OMP_NUM_THREADS": "1"}
        if not options.quick:  # to build the toy models takes longest
            fresh["SYSGRAPH_CACHE"] = f"{folder}/cache"
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
