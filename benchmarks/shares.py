"""Where the processor time of a step goes, by torch's profiler."""

import time
from collections import defaultdict
from collections.abc import Callable

from torch.profiler import ProfilerActivity, profile

_PRODUCTS = {"aten::mm", "aten::addmm", "aten::bmm", "aten::baddbmm"}


def shares(run: Callable[[], object]) -> dict[str, float]:
    """Shares of `run()`'s time on a CPU, which add up to 1; the profiler's own time is "Python"."""
    with profile(activities=[ProfilerActivity.CPU]) as found:
        start = time.process_time()
        run()
        seconds = time.process_time() - start
    took: dict[str, float] = defaultdict(float)
    for event in found.key_averages():
        took[_kind(event.key)] += event.self_cpu_time_total / 1e6
    rest = max(0.0, seconds - sum(took.values()))
    total = sum(took.values()) + rest
    return {kind: one / total for kind, one in {**took, "Python": rest}.items()}


def _kind(name: str) -> str:
    if name in _PRODUCTS:
        return "matrix products"
    return "attention" if "attention" in name else "other operations"
