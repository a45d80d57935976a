"""`lora.target_modules`: one meaning everywhere, and nothing that is listed is skipped."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from transformers import (
    AutoModelForCausalLM,
    FalconH1Config,
    Gemma3Config,
    GPT2Config,
    JambaConfig,
    Mamba2Config,
    MambaConfig,
    MixtralConfig,
    NemotronHConfig,
    PreTrainedConfig,
    Qwen3MoeConfig,
    RwkvConfig,
)

from sysgraph import InputError, Program, System
from sysgraph.engines.checkpoints.peft_adapters import PeftAdapters
from sysgraph_schemas import LoRA

MakeProgram = Callable[..., Program]

SMALL: dict[str, Any] = {
    "vocab_size": 64,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
HEADS: dict[str, Any] = {
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "head_dim": 8,
    "intermediate_size": 24,
}
STATE = {"mamba_n_heads": 4, "mamba_d_head": 8, "mamba_d_state": 8, "mamba_n_groups": 1}
ATTENTION = {"q_proj", "k_proj", "v_proj", "o_proj"}
MLP = {"gate_proj", "up_proj", "down_proj"}

ARCHITECTURES: dict[str, tuple[PreTrainedConfig, set[str]]] = {
    # What peft cannot adapt (out_proj, conv1d) and what is used without being called (dt_proj).
    "mamba": (MambaConfig(**SMALL, state_size=4, time_step_rank=4), {"in_proj", "x_proj"}),
    "mamba2": (
        Mamba2Config(**SMALL, num_heads=4, head_dim=8, state_size=8, n_groups=1, chunk_size=8),
        {"in_proj"},
    ),
    "falcon-h1": (
        FalconH1Config(**SMALL, **HEADS, **STATE, mamba_d_ssm=32, mamba_chunk_size=8),
        {"in_proj"} | ATTENTION | MLP,
    ),
    "nemotron-h": (
        NemotronHConfig(
            **{k: v for k, v in SMALL.items() if k != "num_hidden_layers"},
            **HEADS,
            layers_block_type=["mamba", "attention", "mlp"],
            mamba_num_heads=4,
            mamba_head_dim=8,
            ssm_state_size=8,
            n_groups=1,
            chunk_size=8,
        ),
        {"in_proj", "up_proj", "down_proj"} | ATTENTION,
    ),
    "jamba": (
        JambaConfig(
            **SMALL,
            **{k: v for k, v in HEADS.items() if k != "head_dim"},
            attn_layer_period=2,
            attn_layer_offset=1,
            num_experts=2,
            num_experts_per_tok=1,
            mamba_dt_rank=4,
            mamba_d_state=4,
            use_mamba_kernels=False,
        ),
        {"in_proj", "x_proj", "out_proj", "router"} | ATTENTION | MLP,
    ),
    "rwkv": (
        RwkvConfig(**SMALL, attention_hidden_size=16),
        {"key", "value", "receptance", "output"},
    ),
    "gpt2": (
        GPT2Config(vocab_size=64, n_embd=16, n_layer=2, n_head=2, eos_token_id=2),
        {"c_attn", "c_proj", "c_fc"},
    ),
    # Experts in one tensor, which peft adapts as such.
    "mixtral": (
        MixtralConfig(**SMALL, **HEADS, num_local_experts=4),
        ATTENTION | {"experts", "base_layer", "gate"},
    ),
    "qwen3-moe": (
        Qwen3MoeConfig(
            **SMALL, **HEADS, num_experts=4, num_experts_per_tok=2, moe_intermediate_size=8
        ),
        ATTENTION | {"experts", "base_layer", "gate"},
    ),
    # Its vision tower has layers of the same names.
    "gemma3": (
        Gemma3Config(
            text_config={**SMALL, **HEADS},
            vision_config={
                "hidden_size": 16,
                "intermediate_size": 24,
                "num_hidden_layers": 1,
                "num_attention_heads": 2,
                "image_size": 28,
                "patch_size": 14,
            },
            mm_tokens_per_image=4,
            eos_token_id=2,
        ),
        ATTENTION | MLP,
    ),
}


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_the_default_trains_every_weight_it_adds(name: str, tmp_path: Path) -> None:
    """And peft itself reads what is saved as the same model."""
    config, expected = ARCHITECTURES[name]
    torch.manual_seed(0)
    base = AutoModelForCausalLM.from_config(config).eval().requires_grad_(False)
    with torch.no_grad():
        for weight in base.parameters():
            weight.normal_(0, 0.2)
    base.save_pretrained(tmp_path / "base")
    adapters = PeftAdapters(base, task_type="CAUSAL_LM", exclude_modules=None)
    adapters.add("ada", LoRA(r=2, alpha=4), seed=0, trained=True)
    weights = adapters.parameters("ada")
    found = {n.split(".lora_")[0].split(".")[-1] for n in weights}
    assert found - {"router"} == expected - {"router"}
    assert not any("vision" in n for n in weights)
    with torch.no_grad():
        for weight in weights.values():
            weight.add_(torch.randn(weight.shape) * 0.1)
    ids = torch.arange(3, 35)[None]
    logits = adapters.module("ada")(input_ids=ids, use_cache=False).logits
    logits.log_softmax(-1)[..., 5].sum().backward()
    for each, weight in weights.items():
        assert weight.grad is not None, each
        assert weight.grad.isfinite().all(), each
    adapters.save("ada", tmp_path / "ada-saved")
    fresh = AutoModelForCausalLM.from_pretrained(tmp_path / "base")
    loaded = PeftModel.from_pretrained(fresh, tmp_path / "ada-saved").eval()
    with torch.no_grad():
        torch.testing.assert_close(loaded(input_ids=ids, use_cache=False).logits, logits)
        assert not torch.allclose(adapters.module(None)(input_ids=ids).logits, logits, atol=1e-4)


REFUSED = {
    "a typo beside a right one": (["q_proj", "v_prj"], r"ends in 'v_prj'; did you mean `v_proj`"),
    "a typo of the default": ("all-lineal", "did you mean `all-linear`"),
    "a pattern": (r".*\.(q|v)_proj", r"no layer's name ends in"),
    "a block of layers": (["mlp"], "'mlp' is a LlamaMLP, .* name the layers in it .gate_proj"),
    "a part of a name": (["proj"], "no layer's name ends in 'proj'"),
    "nothing": ([], "is empty"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_names_no_layer_is_refused(
    one_node: MakeProgram, plain_folder: Path, case: str
) -> None:
    wanted, said = REFUSED[case]
    with pytest.raises(InputError, match=f"(?s)model 'ada' on .*target_modules.*{said}"):
        System(one_node(plain_folder, lora={"target_modules": wanted}), device="cpu")


@pytest.mark.parametrize("wanted", ["v_proj", ["v_proj"], ["self_attn.v_proj"]])
def test_a_string_is_one_ending(
    one_node: MakeProgram, plain_folder: Path, wanted: str | list[str], tmp_path: Path
) -> None:
    system = System(one_node(plain_folder, lora={"target_modules": wanted}), device="cpu")
    reached = {name.split(".lora_")[0] for name in system.parameters("ada")}
    assert {name.split("layers.")[1] for name in reached} == {
        f"{layer}.self_attn.v_proj" for layer in range(2)
    }
    system.save(tmp_path)
    settings = json.loads((tmp_path / "ada" / "adapter_config.json").read_text())
    assert len(settings["target_modules"]) == 2


MODALITIES = {
    "of the vision tower alone": (["fc1"], "no gradient comes back to it from a text"),
    "of both": (["q_proj"], None),
}


@pytest.mark.parametrize("case", MODALITIES)
def test_layers_that_no_text_reaches_get_none(case: str) -> None:
    base = AutoModelForCausalLM.from_config(ARCHITECTURES["gemma3"][0]).eval()
    adapters = PeftAdapters(base.requires_grad_(False), task_type="CAUSAL_LM", exclude_modules=None)
    wanted, said = MODALITIES[case]
    if said:
        with pytest.raises(InputError, match=said):
            adapters.add("ada", LoRA(target_modules=wanted), seed=0, trained=True)
    else:
        adapters.add("ada", LoRA(target_modules=wanted), seed=0, trained=True)
        assert {n.split(".layers.")[0] for n in adapters.parameters("ada")} == {
            "base_model.model.model.language_model"
        }


def test_what_peft_refuses_is_said_in_its_words() -> None:
    base = AutoModelForCausalLM.from_config(ARCHITECTURES["mamba"][0]).eval()
    adapters = PeftAdapters(base.requires_grad_(False), task_type="CAUSAL_LM", exclude_modules=None)
    with pytest.raises(InputError, match="'out_proj' is incompatible with Mamba-based models"):
        adapters.add("ada", LoRA(target_modules=["out_proj"]), seed=0, trained=True)


def test_experts_are_named_as_peft_names_them() -> None:
    base = AutoModelForCausalLM.from_config(ARCHITECTURES["mixtral"][0]).eval()
    adapters = PeftAdapters(base.requires_grad_(False), task_type="CAUSAL_LM", exclude_modules=None)
    adapters.add("ada", LoRA(target_modules=["q_proj", "w1", "w3"]), seed=0, trained=True)
    found = {n.split(".lora_")[0].split(".")[-1] for n in adapters.parameters("ada")}
    assert found == {"q_proj", "experts"}
