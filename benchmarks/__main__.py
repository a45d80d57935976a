"""The table of docs/benchmarks.md: `python -m benchmarks [ROW ...]`, or `make bench`."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch: what others compute moves less
os.environ.setdefault("TQDM_DISABLE", "1")  # of loading weights and rows
os.environ["SYSGRAPH_REFERENCES"] = "off"  # nothing is read that another run computed

import argparse
import importlib
import sys
import time
import traceback
import warnings
from pathlib import Path
from typing import Any

import torch

from . import table
from .real_model import cache
from .results import Results, machine
from .row import MismatchError, Options, Row

ROWS = {
    "A1": "dpo_short",
    "A2": "dpo_long",
    "A3": "flops",
    "B": "diffusion",
    "C": "sampling",
    "D": "beams",
    "E": "moa",
    "F": "collecting",
    "G": "memory",
    "H": "commands",
    "I": "make_fit",
    "J": "foreseen",
}
"""The module of each row: its `rows(options)` gives the lines."""


def main() -> None:
    """Measures what is asked for; exit code 1: some row failed, 2: there is no such thing."""
    parser = _parser()
    options = parser.parse_args()
    warnings.filterwarnings("ignore", category=FutureWarning, module="transformers")
    output = options.output or (cache() / "quick.json" if options.quick else table.KEPT)
    results = Results(output)
    if options.table:
        table.write(results)
        return
    unknown = [name for name in options.rows if name not in ROWS]
    if unknown:
        parser.error(f"no row {', '.join(unknown)}; there are {', '.join(ROWS)}")
    if options.model and not (options.model / "config.json").exists():
        parser.error(f"no language model in {options.model}: give a folder that transformers saved")
    if options.device == "cuda" and not torch.cuda.is_available():
        parser.error("no GPU that torch can use")
    told = Options(
        model=options.model,
        quick=options.quick,
        device=options.device,
        most=options.repetitions,
    )
    asked = {"device": told.device, "quick": told.quick, "machine": machine(told.device)}
    left = results.left(asked)
    if left and not options.rows:
        print(f"going on with an interrupted run: {', '.join(left)}", flush=True)
    names = options.rows or left or list(ROWS)
    failed = []
    for i, name in enumerate(names):
        if not options.rows:
            results.plan(names[i:], asked)
        if not _measure(name, told, results, asked):
            failed.append(name)
    if not options.rows:
        results.plan([], asked)
    if output == table.KEPT:
        table.write(results)
    sys.exit(f"failed: {', '.join(failed)}" if failed else 0)


def _measure(name: str, told: Options, results: Results, asked: dict[str, Any]) -> bool:
    """Measures one row and keeps it; whether it could be measured."""
    print(f"{name}", flush=True)
    start = time.monotonic()
    rows: list[Row] = []
    try:
        for row in importlib.import_module(f".{ROWS[name]}", __package__).rows(told):
            print(f"  {table.line(row)}", flush=True)
            rows.append(row)
    except (MismatchError, RuntimeError) as error:
        print(f"  no ratio: {error}", file=sys.stderr, flush=True)
        return False
    except Exception:  # the other rows can still be measured
        traceback.print_exc()
        return False
    results.put(name, rows, asked)
    print(f"  ({time.monotonic() - start:.0f} s)", flush=True)
    return True


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m benchmarks", description=__doc__)
    parser.add_argument("rows", nargs="*", metavar="ROW", help=f"of {', '.join(ROWS)}; all")
    parser.add_argument("--quick", action="store_true", help="whether it runs: a tiny random model")
    parser.add_argument("--model", type=Path, help="a causal LM's folder, in place of the real one")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--repetitions", type=int, default=5, help="of what is timed; 5")
    parser.add_argument("-o", "--output", type=Path, help="JSON; benchmarks/results.json")
    parser.add_argument("--table", action="store_true", help="write the page, measure nothing")
    return parser


if __name__ == "__main__":
    main()
