"""What a GPU is to be asked, in one run of ten minutes at most: right first, then how fast.

    python -m benchmarks.gpu [--quick] [--model FOLDER] [-o results.json]

1. Log-probabilities and gradients in float32 and bfloat16, beside plain transformers: as near to
   those of float64 as its own.
2. Where a training step waits for the device; one place is meant to, `training/optimization.py`.
3. Rows of `python -m benchmarks`, each in a process of its own, as many as the time allows; each
   first sees that both sides compute the same.

Without the real model in the cache, and where none is given, a random one of its shape is made: no
network is needed, but for C and D, whose other transformers pip must find (`PIP_FIND_LINKS`).
`--quick`, on a CPU or a GPU, shows that all of it runs. Exit code 1: something is wrong or could
not run.
"""

import os

os.environ.setdefault("TQDM_DISABLE", "1")
os.environ["SYSGRAPH_REFERENCES"] = "off"

import argparse
import subprocess
import sys
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch

from .dpo_step import one_lm
from .nearness import nearness
from .pairs import ROOT, real
from .real_model import cache, save_tiny
from .row import Options
from .sides.ours import Ours

ROWS = ("A1", "A2", "A3", "E", "B", "D", "C", "F")
"""In the order of what is most wanted."""
_SECONDS = 570.0
_REPETITIONS = "3"
_SHAPE = {"hidden_size": 576, "layers": 30, "vocabulary": 49_152}
_TYPES = (torch.float32, torch.bfloat16)


def main() -> None:
    """Prints what it finds as it goes."""
    start = time.monotonic()
    given = _parser().parse_args()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cpu" and not given.quick:
        sys.exit("no GPU that torch can use; --quick shows on a CPU that all of this runs")
    options = Options(model=given.model or _model(given.quick), quick=given.quick, device=device)
    print(f"on {torch.cuda.get_device_name() if device == 'cuda' else 'a CPU'}", flush=True)
    failed = _checks(options)
    told = ["--device", device, "--model", str(options.language_model)]
    told += ["--quick"] if given.quick else ["--repetitions", _REPETITIONS]
    told += ["-o", str(given.output)] if given.output else []
    for row in ROWS:
        left = _SECONDS - (time.monotonic() - start)
        if not _measured(row, told, left):
            failed.append(row)
    print(f"{time.monotonic() - start:.0f} s in all")
    sys.exit(f"failed: {', '.join(failed)}" if failed else 0)


def _checks(options: Options) -> list[str]:
    """What of 1. and 2. is wrong, or could not be told."""
    checks: dict[str, Callable[[], bool]] = {
        str(dtype): partial(_is_near, options, dtype) for dtype in _TYPES
    }
    if options.device == "cuda":
        checks["waits"] = partial(_waits_once, options)
    failed = []
    for name, holds in checks.items():
        try:
            if holds():
                continue
        except Exception:  # the rows can still be measured
            traceback.print_exc()
        failed.append(name)
    return failed


def _is_near(options: Options, dtype: torch.dtype) -> bool:
    found = nearness(options.language_model, real(4), dtype, options.device)
    print(f"{dtype}: {found}", flush=True)
    return found.near


def _waits_once(options: Options) -> bool:
    found = waits(options)
    said = ", ".join(f"{at} ({count})" for at, count in found.items())
    print(f"a step waits at: {said}", flush=True)
    return all("optimization.py" in at for at in found)


def waits(options: Options) -> Counter[str]:
    """Where a step of two pairs waits for a GPU, and how often."""
    ours = Ours(one_lm(options.language_model), real(4), pairs=2, device=options.device)
    ours.prepare()
    ours.step()  # what comes once
    torch.cuda.set_sync_debug_mode("warn")
    try:
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            ours.step()
    finally:
        torch.cuda.set_sync_debug_mode("default")
    waited = [one for one in seen if "synchroniz" in str(one.message)]
    return Counter(f"{Path(one.filename).name}:{one.lineno}" for one in waited)


def _measured(row: str, told: list[str], seconds: float) -> bool:
    """Whether a row was, within so many seconds."""
    if seconds < 20:
        print(f"{row}: no time is left", flush=True)
        return False
    command = [sys.executable, "-m", "benchmarks", row, *told]
    try:
        return subprocess.run(command, cwd=ROOT, timeout=seconds).returncode == 0
    except subprocess.TimeoutExpired:
        print(f"{row}: stopped, the time is over", flush=True)
        return False


def _model(quick: bool) -> Path | None:
    """The folder of a model that is there, or is made without a network; None: the usual one."""
    if quick or (cache() / "smollm2-135m-instruct").exists():
        return None
    folder = cache() / "random-135m"
    if not folder.exists():
        print(f"a random model of the real one's shape, in {folder}", flush=True)
        save_tiny(folder, **_SHAPE)
    return folder


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m benchmarks.gpu", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="whether it runs: a tiny random model")
    parser.add_argument("--model", type=Path, help="a causal LM's folder")
    parser.add_argument("-o", "--output", type=Path, help="JSON; as of `python -m benchmarks`")
    return parser


if __name__ == "__main__":
    main()
