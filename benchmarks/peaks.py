"""Peak memory of a training step, in a process of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch

from .row import Options


@dataclass(frozen=True)
class Peak:
    """MiB on the device; on a CPU, of the whole process.

    Attributes:
        start: taken before the first step.
        total: the most during two steps.
    """

    start: float
    total: float

    @property
    def above(self) -> float:
        """What steps take above what was taken before them."""
        return self.total - self.start


def alone(module: str, options: Options, *work: object) -> Peak:
    """What the module's `step(options, *work)` takes, in a process of its own.

    Args:
        module: of this package; its `step` prepares all and gives the step, a function.
        work: as JSON can say it.

    Raises:
        RuntimeError: the process failed; with what it said.
    """
    told = [str(options.language_model), options.device, module, *work]
    command = [sys.executable, "-m", __name__, json.dumps(told)]
    root = str(Path(__file__).parents[1])
    done = subprocess.run(command, capture_output=True, text=True, cwd=root)
    if done.returncode:
        raise RuntimeError(f"{module} {work}: {done.stderr.strip()}")
    return Peak(**json.loads(done.stdout.splitlines()[-1]))


def of(step: Callable[[], object], device: str) -> Peak:
    """What two steps take: the second one has all that lasts, as an optimizer's moments, beside."""
    if device == "cuda":
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        start = torch.cuda.memory_allocated() / 2**20
        step()
        step()
        return Peak(start, torch.cuda.max_memory_allocated() / 2**20)
    start = memory_now()
    with memory_peak() as peak:
        step()
        step()
    return Peak(start, peak[0])


def memory_now() -> float:
    """MiB of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


@contextmanager
def memory_peak() -> Iterator[list[float]]:
    """The most MiB that this process has in the block; known at its end."""
    found: list[float] = []
    Path("/proc/self/clear_refs").write_text("5")  # the peak so far is forgotten
    yield found
    status = Path("/proc/self/status").read_text().splitlines()
    found += [int(line.split()[1]) / 1024 for line in status if line.startswith("VmHWM:")]


def _main() -> None:
    import importlib
    from dataclasses import asdict

    model, device, module, *work = json.loads(sys.argv[1])
    options = Options(model=Path(model), device=device)
    step = importlib.import_module(f".{module}", __package__).step(options, *work)
    print(json.dumps(asdict(of(step, device))))


if __name__ == "__main__":
    _main()
