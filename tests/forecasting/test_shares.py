"""What a process has of a training that several share, and what is told of odd models."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoTokenizer, MixtralConfig, MixtralForCausalLM

import sysgraph
from benchmarks.real_model import save_tiny
from sysgraph.forecasting import Forecast, forecast
from sysgraph.forecasting.text import text_of


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a random Llama of nine layers: one has less than an eighth of the weights."""
    place = tmp_path_factory.mktemp("llama")
    save_tiny(place, hidden_size=16, layers=9, vocabulary=257)
    return place


def foreseen(folder: Path, rows: list[Any], processes: int = 1, **fit: Any) -> Forecast:
    """Of question -> draft -> answer, two models trained whole, on these pairs."""
    data = folder / "pairs.jsonl"
    data.write_text("".join(f"{json.dumps(row)}\n" for row in rows), "utf-8")
    model = {"kind": "causal_lm", "id": str(folder), "train": "full", "max_new_tokens": 5}
    graph = {
        "sysgraph": 1,
        "name": "two",
        "models": {"first": model, "second": model},
        "nodes": {
            "question": {"kind": "input"},
            "draft": {"kind": "lm", "model": "first", "prompt": "{{ question }}"},
            "answer": {"kind": "lm", "model": "second", "prompt": "{{ draft }}"},
        },
        "edges": ["question -> draft", "draft -> answer"],
        "outputs": ["answer"],
        "fit": {"data": str(data), "batch_size": 2, "eval_fraction": 0, **fit},
    }
    return forecast(sysgraph.load(json.dumps(graph)), device="cpu", processes=processes)


def pair(question: str, **draft: str) -> dict[str, Any]:
    sides = {"chosen": {"answer": "yes", **draft}, "rejected": {"answer": "no", **draft}}
    return {"inputs": {"question": question}, **sides}


def test_what_is_divided_is_held_in_parts(folder: Path) -> None:
    """Half of every weight; and whole, one block of the nine at a time, beside what is in none."""
    rows = [pair("a", draft="one"), pair("b", draft="two")]
    copied, parted = (foreseen(folder, rows, 2, shard=shard) for shard in (False, True))
    (base,) = copied.bases
    assert parted.bases[0].size == base.size // 2
    for one, half in zip(copied.models, parted.models, strict=True):
        assert (half.parameters, half.weights) == (one.parameters, one.weights // 2)
        assert (half.gradients, half.optimizer) == (one.gradients // 2, one.optimizer // 2)
    layer = 4 * 16 * 16 + 3 * 16 * 64 + 2 * 16
    running = base.size - 4 * 9 * layer + 2 * 4 * layer
    second = [one.step.by_model["second"] for one in (copied, parted)]
    assert second[1] == second[0] + running
    assert parted.step.pairs == copied.step.pairs == 2
    assert parted.places[0].sharing == 2


def test_values_that_pairs_lack_are_drawn(folder: Path) -> None:
    sampling = {"sampler": "diverse_beam", "k": 3, "redraw_every": 4}
    found = foreseen(folder, [pair("a"), pair("bc")], observed=["answer"], sampling=sampling)
    (drawn,) = found.latent
    assert (drawn.model, drawn.at_once) == ("first", 6)  # three beams for each of two pairs
    assert (drawn.values, drawn.tokens) == (4 * 6, 4 * 6 * 5)
    cache = 9 * 2 * 16 * 4  # bytes of a token's keys and values
    assert drawn.memory > 6 * (2 + 5 - 1) * cache
    assert found.samples == ()
    assert "what pairs lack draws from first: 24 texts of 120 tokens" in text_of(found)


def test_a_model_whose_passes_do_not_run_on_shapes(folder: Path, tmp_path: Path) -> None:
    """One that chooses between experts: its weights are told all the same."""
    AutoTokenizer.from_pretrained(folder).save_pretrained(tmp_path)
    torch.manual_seed(0)
    config = MixtralConfig(
        vocab_size=257,
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=2,
        num_local_experts=2,
    )
    MixtralForCausalLM(config).save_pretrained(tmp_path)
    found = foreseen(tmp_path, [pair("a", draft="one")], batch_size=1)
    assert (found.step.activations, found.step.by_model) == (0, {})
    assert found.models[1].gradients == found.bases[0].size > 0
    assert "without passes of second, which do not run on shapes (" in text_of(found)
