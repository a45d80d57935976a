"""Beam search on every kind of cache and position: each prompt as if alone and without a cache.

So is it on models without a cache, or with one that does not do what beam search asks of it.
"""

from typing import Any

import pytest
import torch
from transformers import GenerationConfig, PreTrainedModel

from sysgraph.engines.causal_lm.beam import beam_search
from sysgraph.engines.causal_lm.beam_group import Found
from sysgraph.engines.causal_lm.beam_settings import BeamSettings
from sysgraph.engines.causal_lm.probe import probe

from .architectures import random_model

VOCABULARY, ROOM, ENDS = 40, 9, (2, 3)
PROMPTS = [(5, 9, 31, 7, 7, 12, 30, 4), (8,), (9, 9, 17, 22, 6)]
ARCHITECTURES: dict[str, dict[str, Any]] = {
    "llama": {},
    "qwen2": {"tie_word_embeddings": True},
    "gemma2": {"head_dim": 8, "sliding_window": 5},  # every other layer has a window
    "cohere": {},
    "granite": {},
    "gpt2": {"n_embd": 32, "n_layer": 2, "n_head": 4},
    "opt": {"ffn_dim": 48, "word_embed_proj_dim": 32},
    "xglm": {"d_model": 32, "ffn_dim": 48, "num_layers": 2, "attention_heads": 4},
    "gpt_neox": {},
    "mistral": {"sliding_window": 4},
    "bloom": {"n_layer": 2, "n_head": 4},  # positions from the mask alone
    "lfm2": {"layer_types": ["conv", "full_attention"], "block_auto_adjust_ff_dim": False},
    "mamba": {"state_size": 8},  # no padding
    "minimax": {  # a cache whose rows cannot be moved
        "layer_types": ["linear_attention", "full_attention"],
        "head_dim": 8,
        "num_local_experts": 2,
        "num_experts_per_tok": 1,
        "block_size": 16,
    },
    "recurrent_gemma": {"lru_width": 32, "block_types": ["recurrent", "attention"]},  # no cache
    "rwkv": {"attention_hidden_size": 32, "context_length": 64},  # one that goes wrong
    "openai-gpt": {"n_embd": 32, "n_layer": 2, "n_head": 4},  # none at all
}


def build(architecture: str) -> PreTrainedModel:
    module = random_model(
        architecture,
        vocabulary=VOCABULARY,
        special=(0, 1, ENDS[0]),
        **ARCHITECTURES.get(architecture, {}),
    )
    module.generation_config = GenerationConfig()
    return module


def search(
    module: PreTrainedModel, prompts: list[tuple[int, ...]], groups: int
) -> list[list[Found]]:
    settings = BeamSettings(
        beams=4, groups=groups, diversity_penalty=2.0, max_new_tokens=ROOM, pad=None, ends=ENDS
    )
    way = probe(module, VOCABULARY).searches
    together = [prompts] if way.padded else [[prompt] for prompt in prompts]
    return [found for part in together for found in beam_search(module, part, settings, way)]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_equals_generate_without_a_cache(architecture: str) -> None:
    module = build(architecture)
    for prompt, texts in zip(PROMPTS, search(module, PROMPTS, groups=1), strict=True):
        out = module.generate(
            torch.tensor([prompt]),
            attention_mask=torch.ones(1, len(prompt), dtype=torch.long),
            generation_config=GenerationConfig(
                num_beams=4,
                num_return_sequences=4,
                max_new_tokens=ROOM,
                eos_token_id=list(ENDS),
                pad_token_id=0,
                use_cache=False,
                return_dict_in_generate=True,
                output_scores=True,
            ),
        )
        for text, row, score in zip(
            texts, out.sequences[:, len(prompt) :].tolist(), out.sequences_scores, strict=True
        ):
            stop = next((i + 1 for i, token in enumerate(row) if token in ENDS), len(row))
            assert text.ids == tuple(row[:stop])
            assert text.score == pytest.approx(float(score), abs=1e-4)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_prompt_finds_the_same_alone(architecture: str) -> None:
    module = build(architecture)
    for groups in (2, 4):
        together = search(module, PROMPTS, groups)
        for prompt, texts in zip(PROMPTS, together, strict=True):
            (alone,) = search(module, [prompt], groups)
            assert [(t.ids, t.group) for t in texts] == [(t.ids, t.group) for t in alone]
            assert [t.score for t in texts] == pytest.approx([t.score for t in alone], abs=1e-4)
