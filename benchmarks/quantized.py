"""A language model in 4 bits beside itself in float32 and bfloat16: memory, time, and what is lost.

    python -m benchmarks.quantized [--model FOLDER] [--quick]

Texts of real questions are scored, and an adapter's step on them is taken, in one thread. What is
compared is processor time, and how far a token's log p is from float32's, in the mean over texts.
"""

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from statistics import median

import torch

import sysgraph
from sysgraph import Completion, System
from sysgraph.engines import Request

from . import pairs
from .row import Options
from .timing import own

_REPETITIONS = 3
_SETTINGS = (
    {"dtype": "float32"},
    {"dtype": "bfloat16"},
    {"dtype": "float32", "load_in": "4bit"},
    {"dtype": "bfloat16", "load_in": "4bit"},
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", type=Path)
    parser.add_argument("--quick", action="store_true")
    asked = parser.parse_args()
    options = Options(model=asked.model, quick=asked.quick)
    torch.set_num_threads(1)
    found = pairs.real(2 if options.quick else 4)
    requests = [Request("m", pair["prompt"], Completion(pair["chosen"])) for pair in found]
    exact = None
    print("| weights | memory | scoring | a step | a token's log p |\n|---|---|---|---|---|")
    for settings in _SETTINGS:
        system = _system(options.language_model, settings)
        (base,) = system.bases()
        log_p = system.score(requests).detach()
        exact = log_p if exact is None else exact
        lengths = torch.tensor([system.length(request) for request in requests])
        off = float(((log_p - exact).abs() / lengths).mean())

        def score(system: System = system) -> None:
            with torch.no_grad():
                system.score(requests)

        def step(system: System = system) -> None:
            system.score(requests).sum().backward()

        name = ", ".join(settings.values())
        size = base.size / 10**6
        print(
            f"| {name} | {size:.0f} MB | {_time(score):.2f} s | {_time(step):.2f} s | {off:.4f} |"
        )


def _system(model: Path, settings: dict[str, str]) -> System:
    graph = {
        "name": "one",
        "models": {"m": {"kind": "causal_lm", "id": str(model), **settings}},
        "nodes": {
            "q": {"kind": "input"},
            "a": {"kind": "lm", "model": "m", "prompt": "{{ q }}"},
        },
        "edges": ["q -> a"],
        "outputs": ["a"],
    }
    return System(sysgraph.compile(sysgraph.load(json.dumps(graph))), device="cpu")


def _time(run: Callable[[], None]) -> float:
    times = []
    for _ in range(_REPETITIONS):
        start = own()
        run()
        times.append(own() - start)
    return median(times)


if __name__ == "__main__":
    main()
