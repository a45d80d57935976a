"""G: peak memory of a step by the number of its pairs, each in a process of its own."""

from collections.abc import Callable, Iterator
from typing import Any

from . import pairs, seven
from .dpo_step import one_lm
from .peaks import alone
from .row import Options, Row
from .sides.ours import Ours

PAIRS = (1, 2, 4)
WORKS = {
    "long": "A2, prompt 512 and answer 128",
    "sampling": "C, two LMs, sampling with k = 2",
    "seven": "E, seven LMs on one base",
}


def rows(options: Options) -> Iterator[Row]:
    for work, name in WORKS.items():
        peaks = {}
        for count in PAIRS[:2] if options.quick else PAIRS:
            peaks[count] = alone("memory", options, work, count)
            options.tell(f"{name}, {count} pairs: {peaks[count].total:.0f} MiB")
        what = {
            "above what is taken before the step": [peak.above for peak in peaks.values()],
            "in total": [peak.total for peak in peaks.values()],
        }
        for measure, values in what.items():
            yield Row(
                "G",
                f"memory of a step, {name}",
                "itself with 1 pair, at 2 and 4",
                max(values) / values[0],
                1.1,
                at_most=True,
                measure=f"peak {measure}, the most / with 1 pair",
                memory={f"{n} pairs": mib for n, mib in zip(peaks, values, strict=True)},
                note=f"peak {measure}",
            )


def step(options: Options, work: str, count: int) -> Callable[[], object]:
    """A step of `count` pairs."""
    graph, rows = _WORKS[work](options, 2 * count)
    ours = Ours(graph, rows, pairs=count, device=options.device)
    ours.prepare()
    return ours.step


def _long(options: Options, count: int) -> tuple[dict[str, Any], list[Any]]:
    model = options.language_model
    return one_lm(model), list(pairs.cut(model, count, 512, 128))


def _sampling(options: Options, count: int) -> tuple[dict[str, Any], list[Any]]:
    model = {
        "kind": "causal_lm",
        "id": str(options.language_model),
        "train": "lora",
        "max_new_tokens": 48,
    }
    prompt = "{{ question }}\n{{ draft }}\n"
    graph = {
        "sysgraph": 1,
        "name": "two",
        "models": {"writer": model, "editor": model},
        "nodes": {
            "question": {"kind": "input"},
            "draft": {"kind": "lm", "model": "writer", "prompt": "{{ question }}\n"},
            "answer": {"kind": "lm", "model": "editor", "prompt": prompt},
        },
        "edges": ["question -> draft", "question, draft -> answer"],
        "outputs": ["answer"],
        "fit": {"observed": ["answer"], "sampling": {"k": 2}},
    }
    return graph, list(pairs.cut(options.language_model, count, 64, 48))


def _seven(options: Options, count: int) -> tuple[dict[str, Any], list[Any]]:
    model = options.language_model
    return seven.graph(model), seven.rows(model, count)


_WORKS = {"long": _long, "sampling": _sampling, "seven": _seven}
