"""Where the time of a step goes, by torch's profiler."""

from collections import defaultdict
from collections.abc import Callable

from torch.profiler import ProfilerActivity, profile

from .timing import own

_PRODUCTS = {"aten::mm", "aten::addmm", "aten::bmm", "aten::baddbmm"}


def shares(run: Callable[[], object], device: str = "cpu") -> dict[str, float]:
    """Shares of `run()`'s time on a device, which add up to 1.

    What the profiler's own time is in, and on a GPU its idle time, is "Python".
    """
    on_gpu = device == "cuda"
    with profile(activities=[ProfilerActivity.CPU, *[ProfilerActivity.CUDA] * on_gpu]) as found:
        start = own()
        run()
        seconds = own() - start
    took: dict[str, float] = defaultdict(float)
    for event in found.key_averages():
        if event.device_type.name == "CPU":  # a kernel's time is also that of what asked for it
            own_time = event.self_device_time_total if on_gpu else event.self_cpu_time_total
            took[_kind(event.key)] += own_time / 1e6
    rest = max(0.0, seconds - sum(took.values()))
    total = sum(took.values()) + rest
    return {kind: one / total for kind, one in {**took, "Python": rest}.items()}


def _kind(name: str) -> str:
    if name in _PRODUCTS:
        return "matrix products"
    return "attention" if "attention" in name else "other operations"
