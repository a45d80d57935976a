"""A step never waits for the device but once: a count of what waits, by file.

On a GPU each read of a tensor's values stops the step until everything before it is computed, and
so does each copy from ordinary memory. A CPU does not show that, so both are counted where they
happen.
"""

import json
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

import sysgraph
from sysgraph import System
from sysgraph.support.progress import Reporter
from sysgraph.training.loop import Loop

Steps = Callable[[int, int], list[Counter[str]]]
ROOT = Path(sysgraph.__file__).parent
# What `bool`, `int`, `float`, `item` come to, and what sizes depend on.
OPERATORS = ("_local_scalar_dense", "nonzero", "_unique2", "masked_select", "equal")
METHODS = ("tolist", "cpu", "numpy")
# AdamW counts its steps on the CPU. transformers looks at a mask for padding, twice a pass: what
# gives it none is not asked.
ELSEWHERE = ("/torch/optim/", "/transformers/masking_utils.py")


class Reads:
    """Counts, by the file of sysgraph that reads, while it is open."""

    def __init__(self) -> None:
        self.found: Counter[str] = Counter()
        found = self

        class Operators(TorchDispatchMode):
            def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None):  # type: ignore[no-untyped-def]
                name = func._schema.name.removeprefix("aten::")
                picks = args[1] if name == "index" else ()
                by_mask = any(isinstance(p, Tensor) and p.dtype == torch.bool for p in picks)
                unsized = name == "repeat_interleave" and not (kwargs or {}).get("output_size")
                if name in OPERATORS or by_mask or unsized:
                    found.note()
                return func(*args, **(kwargs or {}))

        class Methods(TorchFunctionMode):
            def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None):  # type: ignore[no-untyped-def]
                name = getattr(func, "__name__", "")
                # From memory that is not pinned, a GPU copies once all before it is computed.
                copied = name == "tensor" and (kwargs or {}).get("device") is not None
                if name in METHODS or (copied and "on_device" not in _callers()):
                    found.note()
                return func(*args, **(kwargs or {}))

        self.modes = (Operators(), Methods())

    def note(self) -> None:
        files = [frame.filename for frame in traceback.extract_stack()]
        if not any(part in file for part in ELSEWHERE for file in files):
            ours = [file for file in files if file.startswith(str(ROOT))]
            self.found[str(Path(ours[-1]).relative_to(ROOT))] += 1


def _callers() -> list[str]:
    return [frame.name for frame in traceback.extract_stack()]


def chain(checkpoint: Path, nodes: int, pairs: int) -> sysgraph.Graph:
    """input -> n0 -> n1 -> ..., a model each, on one base."""
    names = [f"n{i}" for i in range(nodes)]
    graph = {
        "name": "chain",
        "models": {f"m{i}": {"kind": "causal_lm", "id": str(checkpoint)} for i in range(nodes)},
        "nodes": {"question": {"kind": "input"}}
        | {
            name: {"kind": "lm", "model": f"m{i}", "prompt": f"{{{{ {before} }}}}"}
            for i, (name, before) in enumerate(zip(names, ["question", *names], strict=False))
        },
        "edges": [f"{a} -> {b}" for a, b in zip(["question", *names], names, strict=False)],
        "outputs": names[-1:],
        "fit": {"steps": 2, "batch_size": pairs, "log_every": 2, "eval_fraction": 0},
    }
    return sysgraph.load(json.dumps(graph))


@pytest.fixture
def steps(
    checkpoint: Callable[..., Path],
    tmp_path: Path,
    quiet: Reporter,
    monkeypatch: pytest.MonkeyPatch,
) -> Steps:
    """What each of two steps reads, of so many pairs of a chain of so many nodes."""

    def run(nodes: int, pairs: int) -> list[Counter[str]]:
        found: list[Counter[str]] = []
        take = Loop.take_step

        def counted(loop: Loop) -> dict[str, Tensor]:
            reads = Reads()
            found.append(reads.found)
            with reads.modes[0], reads.modes[1]:
                return take(loop)

        monkeypatch.setattr(Loop, "take_step", counted)
        rows = [
            {
                "inputs": {"question": f"q{row}"},
                "chosen": {f"n{i}": f"yes {row}" for i in range(nodes)},
                "rejected": {f"n{i}": "no" * i + f" {row}" for i in range(nodes)},
            }
            for row in range(8)
        ]
        graph = chain(checkpoint(), nodes, pairs)
        sysgraph.fit(graph, data=rows, output=tmp_path / "run", reporter=quiet)
        assert len(found) == 2
        return found

    return run


@pytest.mark.parametrize(("nodes", "pairs"), [(1, 2), (4, 2), (1, 8)])
def test_a_step_reads_one_number(nodes: int, pairs: int, steps: Steps) -> None:
    """Whether the step is finite, however many pairs and nodes: 4 nodes have 16 requests a pair."""
    for found in steps(nodes, pairs):
        # The first two read the table of pairs and their order, which stay in the CPU's memory.
        on_host = {"training/batches.py", "training/direct.py"}
        assert {f: n for f, n in found.items() if f not in on_host} == {
            "training/optimization.py": 1
        }
        assert found["training/direct.py"] == 7, "it does not grow either"


def test_what_is_too_large_to_be_held_is_read_once_a_pair(
    steps: Steps, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its weights: which of the passes are run again."""
    passes = System.passes
    monkeypatch.setattr(
        System, "passes", lambda *a, **k: [replace(one, share=2.0) for one in passes(*a, **k)]
    )
    for found in steps(2, 2):
        assert found["training/adjoint.py"] == 2
        assert found["training/optimization.py"] == 1
