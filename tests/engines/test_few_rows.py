"""Linear layers by oneDNN give what they give without, and are themselves again afterwards."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from torch import Tensor
from transformers import LlamaConfig, LlamaForCausalLM

from sysgraph.engines.causal_lm import few_rows as module
from sysgraph.engines.causal_lm.beam import beam_search
from sysgraph.engines.causal_lm.beam_settings import BeamSettings
from sysgraph.engines.causal_lm.few_rows import few_rows

LAYERS = 8  # of a block and the head


@pytest.fixture
def model() -> Any:
    """A Llama of one layer, every weight of which is worth it, with an adapter that does much."""
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=300,
        hidden_size=256,
        intermediate_size=260,
        num_hidden_layers=1,
        num_attention_heads=4,
        initializer_range=0.1,
    )
    lora = LoraConfig(r=2, target_modules="all-linear", init_lora_weights=False)
    return get_peft_model(LlamaForCausalLM(config), lora).eval()


def changed(model: Any) -> int:
    return sum("forward" in layer.__dict__ for layer in model.modules())


@torch.no_grad()
def logits(model: Any, rows: int = 3) -> Tensor:
    ids = torch.arange(rows * 20).view(rows, 20) % 300
    found: Tensor = model(input_ids=ids, use_cache=False).logits
    return found


@torch.no_grad()
def test_logits_are_the_same_to_rounding(model: Any) -> None:
    wanted = {rows: logits(model, rows) for rows in (1, 3, 10)}  # the last are too many
    with few_rows(model, steps=64):
        assert changed(model) == LAYERS
        for rows, found in wanted.items():
            torch.testing.assert_close(logits(model, rows), found, rtol=1e-4, atol=1e-4)
    assert changed(model) == 0
    assert torch.equal(logits(model), wanted[3])


@torch.no_grad()
def test_weights_are_those_of_now(model: Any) -> None:
    with few_rows(model, steps=64):
        before = logits(model)
    for parameter in model.parameters():
        parameter.mul_(1.1)
    wanted = logits(model)
    with few_rows(model, steps=64):
        torch.testing.assert_close(logits(model), wanted, rtol=1e-4, atol=1e-4)
    assert not torch.allclose(before, wanted, atol=1e-2)


@torch.no_grad()
def test_the_adapter_that_is_active_counts(model: Any) -> None:
    """Each is added to the layer's copy; one that is more than a product runs as it is."""
    more = LoraConfig(r=3, target_modules="all-linear", init_lora_weights=False, lora_alpha=9)
    model.add_adapter("scaled", more)
    dora = LoraConfig(r=3, target_modules=["q_proj"], init_lora_weights=False, use_dora=True)
    model.add_adapter("dora", dora)
    found = []
    for adapter in ("default", "scaled", "dora"):
        model.set_adapter(adapter)
        wanted = logits(model)
        with few_rows(model, steps=64):
            folded = sum("forward" in m.__dict__ for m in model.modules() if hasattr(m, "lora_A"))
            torch.testing.assert_close(logits(model), wanted, rtol=1e-4, atol=1e-4)
        assert folded == (0 if adapter == "dora" else LAYERS - 1)
        found.append(wanted)
    with model.disable_adapter():
        wanted = logits(model)
        with few_rows(model, steps=64):
            torch.testing.assert_close(logits(model), wanted, rtol=1e-4, atol=1e-4)
    assert all(not torch.allclose(one, wanted, atol=1e-2) for one in found)


@torch.no_grad()
def test_copies_are_bounded(model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_BYTES", 4 * 256 * 310)
    with few_rows(model, steps=64):
        assert changed(model) == 1
        assert "forward" in model.get_output_embeddings().__dict__  # the largest


def test_layers_stay_as_they_are_where_it_would_not_help(model: Any) -> None:
    cases: Sequence[Callable[[], None]] = [
        lambda: _stays(model, steps=2),
        lambda: _stays(model.double(), steps=64),
    ]
    for case in cases:
        case()


def test_gradients_are_there_where_they_are_asked_for(model: Any) -> None:
    ids = torch.arange(20)[None]
    model(input_ids=ids).logits.logsumexp(-1).sum().backward()
    wanted = {name: p.grad.clone() for name, p in model.named_parameters() if p.requires_grad}
    model.zero_grad()
    with few_rows(model, steps=64):
        model(input_ids=ids).logits.logsumexp(-1).sum().backward()
    for name, parameter in model.named_parameters():
        if name in wanted:
            torch.testing.assert_close(parameter.grad, wanted[name])
    assert wanted


@torch.no_grad()
def _stays(model: Any, steps: int) -> None:
    with few_rows(model, steps):
        assert changed(model) == 0


@torch.no_grad()
def test_layers_come_back_after_an_error(model: Any) -> None:
    with pytest.raises(RuntimeError, match="by hand"), few_rows(model, steps=64):
        raise RuntimeError("by hand")
    assert changed(model) == 0


def test_beam_search_runs_so(model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = BeamSettings(
        beams=4, groups=2, diversity_penalty=0.5, max_new_tokens=16, pad=None, ends=[0]
    )
    seen: list[int] = []
    model.register_forward_pre_hook(lambda *_: seen.append(changed(model)))
    found = beam_search(model, [(1, 2, 3), (4, 5)], settings)
    assert set(seen) == {LAYERS}
    monkeypatch.setattr(module, "_BYTES", 0)
    wanted = beam_search(model, [(1, 2, 3), (4, 5)], settings)
    assert set(seen) == {LAYERS, 0}
    assert [[one.ids for one in texts] for texts in found] == [
        [one.ids for one in texts] for texts in wanted
    ]
