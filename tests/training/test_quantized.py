"""A run on bases in 4 bits, of which one trains an adapter: interrupted, resumed, and exported."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoConfig, AutoTokenizer, LlamaForCausalLM

import sysgraph
from sysgraph import RunError, System
from sysgraph.data import load_pairs
from sysgraph.exporting.export import export
from sysgraph.support.progress import Reporter

from .test_resume import Interrupting, assert_same

IN_4BIT = {"load_in": "4bit", "dtype": "float32"}


@pytest.fixture
def wide(checkpoint: Callable[..., Path], tmp_path: Path) -> Path:
    """The tiny checkpoint, with rows long enough for 4 bits."""
    config = AutoConfig.from_pretrained(checkpoint(), hidden_size=64, intermediate_size=64)
    torch.manual_seed(1)
    LlamaForCausalLM(config).save_pretrained(tmp_path / "wide")
    AutoTokenizer.from_pretrained(checkpoint()).save_pretrained(tmp_path / "wide")
    return tmp_path / "wide"


def test_resumed_and_exported(
    two_stage: Callable[..., sysgraph.Graph],
    wide: Path,
    pairs: Path,
    tmp_path: Path,
    quiet: Reporter,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    base = {"id": str(wide), **IN_4BIT}
    graph = two_stage(
        models={"first": {**base, "train": "frozen"}, "second": base}, data=str(pairs), steps=9
    )
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    sysgraph.fit(graph, output=whole, reporter=quiet)
    with pytest.raises(RunError, match="interrupted"):
        sysgraph.fit(graph, output=stopped, reporter=Interrupting(shown=False))
    sysgraph.fit(graph, output=stopped, resume=True, reporter=quiet)
    assert_same(whole, stopped)

    program = sysgraph.compile(graph)
    pair = load_pairs(program, pairs)[1]
    trained = System(program, device="cpu", model_dir=whole)
    wanted = trained.log_prob([pair.chosen])
    before = trained.log_prob([pair.chosen], reference=True)
    assert (wanted["answer"] - before["answer"]).abs() > 0.1
    loads = {}
    beside, merged = (
        export(whole, tmp_path / f"merged {merge}", merge=merge) for merge in (False, True)
    )
    for merge, made in ((False, beside), (True, merged)):
        moved = sysgraph.load(made.folder / "graph.yaml")
        loads[merge] = [model.base and model.base.load_in for model in moved.models.values()]
        found = System(sysgraph.compile(moved), device="cpu").log_prob([pair.chosen])
        for node, value in wanted.items():
            torch.testing.assert_close(found[node], value, atol=1e-4, rtol=0)
    assert loads == {False: ["4bit", "4bit"], True: ["4bit", None]}
    monkeypatch.chdir(tmp_path / "merged False")
    (part,) = beside.parts
    there: dict[str, Any] = {}
    exec(part.loading(), there)
    assert {"Params4bit"} == {
        type(p).__name__
        for name, p in there["model"].named_parameters()
        if "mlp.up_proj.base" in name
    }
    assert "--quantization bitsandbytes" in beside.serving[0]
