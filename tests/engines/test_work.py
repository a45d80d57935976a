"""Counting what models run on: tokens, and the padding beside them."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from torch import nn

import sysgraph
from sysgraph import Completion, Program, System
from sysgraph.engines import Request, Work
from sysgraph.support.progress import Reporter

MakeProgram = Callable[..., Program]


@contextmanager
def seen(module: nn.Module) -> Iterator[list[int]]:
    """The tokens and the filler of every pass, as the module gets them."""
    found = [0, 0]

    def note(_: nn.Module, args: Any, given: dict[str, Any]) -> None:
        ids, mask = given["input_ids"], given["attention_mask"]
        filler = int((1 - mask).sum()) if mask.shape == ids.shape else 0  # else they are packed
        found[0] += ids.numel() - filler
        found[1] += filler

    handle = module.register_forward_pre_hook(note, with_kwargs=True)
    try:
        yield found
    finally:
        handle.remove()


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_what_is_counted_is_what_the_module_gets(
    attention: str, one_node: MakeProgram, plain_folder: Path
) -> None:
    """Rows end to end, which share their beginnings, have no padding; side by side they do."""
    system = System(one_node(plain_folder, attn_implementation=attention), device="cpu")
    rows = [Request("ada", "how" * n, Completion("many" * k)) for n, k in ((1, 1), (5, 2), (2, 9))]
    assert system.work() == Work()
    with seen(system._engines["ada"]._weights["ada"].resident.base) as found:  # type: ignore[attr-defined]
        for _ in range(2):
            system.score(rows)
        before = system.work()
        assert (before.tokens, before.padding) == tuple(found)
        assert before.padded == found[1] / sum(found)
        assert (before.padding > 0) == (attention == "eager")
        system.score(rows[:1], reference=True)
        assert system.work() - before == Work(found[0] - before.tokens, 0)
        assert before.tokens < found[0]


def test_drawn_tokens_count(one_node: MakeProgram, plain_folder: Path) -> None:
    system = System(one_node(plain_folder, max_new_tokens=5), device="cpu")
    traces = system.sample({"question": "how"}, n=3)
    written = [len(trace.values["answer"].ids) for trace in traces]  # type: ignore[union-attr]
    assert system.work().tokens > sum(written) > 0


def test_a_run_tells_its_padding(plain_folder: Path, tmp_path: Path) -> None:
    """Each line of metrics of its steps, each phase of all that it did, and the log at the end."""
    lines: list[str] = []
    reporter = Reporter(shown=False)
    reporter.line = lines.append  # type: ignore[method-assign]
    fit = {"steps": 2, "batch_size": 2, "log_every": 2, "eval_fraction": 0}
    graph = {
        "name": "one",
        "models": {
            "ada": {
                "kind": "causal_lm",
                "id": str(plain_folder),
                "attn_implementation": "eager",
            }
        },
        "nodes": {
            "question": {"kind": "input"},
            "answer": {"kind": "lm", "model": "ada", "prompt": "{{ question }}"},
        },
        "edges": ["question -> answer"],
        "outputs": ["answer"],
        "fit": fit,
    }
    rows = [
        {
            "inputs": {"question": "how"},
            "chosen": {"answer": "many" * n},
            "rejected": {"answer": "few"},
        }
        for n in (2, 9)
    ]
    run = sysgraph.fit(
        sysgraph.load(json.dumps(graph)), data=rows, output=tmp_path / "run", reporter=reporter
    )
    (step,) = [json.loads(line) for line in (run.folder / "metrics.jsonl").open()]
    assert 0 < step["padding"] < 1
    phases = [json.loads(line) for line in (run.folder / "timings.jsonl").open()]
    (train,) = [line for line in phases if line["phase"] == "train"]
    assert 0 < train["padding"] < train["tokens"]
    total = sum(line["tokens"] + line["padding"] for line in phases)
    assert lines[-1].endswith(f"of {total:,} tokens that models ran on")
