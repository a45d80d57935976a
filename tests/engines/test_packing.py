"""Rows run end to end, common beginnings once, are as they are alone: values and gradients."""

import contextlib
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import PreTrainedModel

from sysgraph import Completion, Program, System
from sysgraph.engines import Request
from sysgraph.engines.causal_lm.head import finish_of
from sysgraph.engines.causal_lm.packing import pack, packs
from sysgraph.engines.causal_lm.probe import probe
from sysgraph.engines.causal_lm.scoring import score, score_packed
from sysgraph.engines.causal_lm.tokens import Encoded
from sysgraph.engines.checkpoints.memory import can_recompute, recomputed

from .architectures import random_model

MakeProgram = Callable[..., Program]

VOCABULARY = 64
ARCHITECTURES: dict[str, dict[str, Any]] = {
    "llama": {},
    "gpt2": {"n_embd": 32, "n_layer": 2, "n_head": 4},  # positions are embeddings
    "gpt_neox": {},
    "opt": {"ffn_dim": 48, "word_embed_proj_dim": 32},
    "qwen3": {"head_dim": 8},
    "gemma3_text": {"head_dim": 8, "sliding_window": 64},
    "mixtral": {"num_local_experts": 2},
    "phi3": {},
    "deepseek_v3": {  # keys and values are not of one size
        "q_lora_rank": None,
        "kv_lora_rank": 8,
        "qk_rope_head_dim": 4,
        "qk_nope_head_dim": 4,
        "v_head_dim": 6,
        "num_key_value_heads": 4,
        "first_k_dense_replace": 2,
    },
}
MIXING = {
    "falcon": {"new_decoder_architecture": True, "num_kv_heads": 2},  # an attention of its own
    "bloom": {"n_head": 4, "n_layer": 2},  # the distance of two tokens is counted in one row
    "mamba": {"state_size": 8},  # what one row leaves behind, the next one finds
    "lfm2": {"layer_types": ["conv", "full_attention"]},
    "gpt_oss": {"num_local_experts": 4, "head_dim": 8},  # attention with sinks
}


def build(architecture: str, **settings: Any) -> PreTrainedModel:
    return random_model(architecture, vocabulary=VOCABULARY, **settings)


def some_rows(seed: int = 0) -> list[Encoded]:
    """Rows that share prompts, parts of prompts, beginnings of completions, all, or nothing."""
    rng = random.Random(seed)

    def ids(most: int) -> tuple[int, ...]:
        return tuple(rng.randrange(5, VOCABULARY) for _ in range(rng.randint(1, most)))

    head, question = ids(9), ids(12)
    prompts = [head, head + question, head + question + ids(5), head + question + ids(7), ids(20)]
    rows = [Encoded(prompt, ids(9)) for prompt in prompts for _ in range(3)]
    rows += [Encoded(row.prompt, row.completion + ids(4)) for row in rows[:4]]
    rows += [Encoded(row.prompt + row.completion[:1], (*row.completion[1:], 7)) for row in rows[:2]]
    return [*dict.fromkeys(rows), Encoded(head, (9, 9, 9))]


def prefixes(rows: Sequence[Encoded]) -> set[tuple[int, ...]]:
    whole = [row.prompt + row.completion for row in rows]
    return {ids[: n + 1] for ids in whole for n in range(len(ids))}


@pytest.mark.parametrize("seed", range(5))
def test_every_token_stands_once_behind_those_before_it(seed: int) -> None:
    rows = some_rows(seed)
    [(order, count)] = packs(rows, 10_000)
    rows = [rows[i] for i in order]
    packed = pack(rows)
    assert count == len(packed.tokens) == len(prefixes(rows))
    seen: dict[int, list[int]] = {}
    for run in packed.runs:
        earlier = [i for place in run.earlier for i in range(place.start, place.stop)]
        for i in range(run.start, run.stop):
            seen[i] = [*earlier, *range(run.start, i + 1)]
            assert packed.positions[i] == len(seen[i]) - 1
    for row, slots in zip(rows, packed.slots, strict=True):
        last = seen[packed.scored[slots[-1]]]
        assert [packed.tokens[i] for i in last] == [*row.prompt, *row.completion]
        assert [packed.scored[s] for s in slots] == last[len(row.prompt) :]
        assert [packed.before[s] for s in slots] == last[len(row.prompt) - 1 : -1]


@pytest.mark.parametrize("budget", [1, 30, 60])
def test_packs_stay_within_their_budget(budget: int) -> None:
    rows = some_rows()
    found = list(packs(rows, budget))
    assert sorted(i for order, _ in found for i in order) == list(range(len(rows)))
    for order, count in found:
        assert count == len(pack([rows[i] for i in order]).tokens)
        assert count <= budget or len(order) == 1


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_values_and_gradients_are_those_of_rows_alone(architecture: str) -> None:
    module = build(architecture, **ARCHITECTURES[architecture])
    finish = finish_of(module)
    rows = sorted(some_rows(), key=lambda row: row.prompt + row.completion)
    weights = torch.linspace(-1, 1, len(rows))

    def taken(values: Callable[[], Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        module.zero_grad()
        found = values()
        (found * weights).sum().backward()
        return found.detach(), {
            n: p.grad for n, p in module.named_parameters() if p.grad is not None
        }

    def alone() -> Tensor:
        return torch.cat([score(module, [row], finish=finish) for row in rows])

    wanted, slopes = taken(alone)
    assert probe(module, VOCABULARY).packs > 0
    blocks: list[contextlib.AbstractContextManager[None]] = [contextlib.nullcontext()]
    if can_recompute(module, lambda run: score(run, rows[:1], finish=finish)):
        blocks.append(recomputed(module))
    assert len(blocks) == 2 or architecture == "opt"  # where that switches dropout on
    for block in blocks:
        with block:
            found, others = taken(lambda: score_packed(module, pack(rows), finish=finish))
        torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-4)
        assert others.keys() == slopes.keys()
        for name, slope in slopes.items():
            largest = float(slope.abs().max())
            torch.testing.assert_close(others[name], slope, rtol=1e-3, atol=1e-5 * largest + 1e-6)


@pytest.mark.parametrize("architecture", MIXING)
def test_models_that_would_mix_rows_up_do_not_pack(architecture: str) -> None:
    module = build(architecture, **MIXING[architecture])
    before = module.config._attn_implementation
    assert probe(module, VOCABULARY).packs == 0
    assert module.config._attn_implementation == before


def test_rows_beyond_a_sliding_window_run_side_by_side() -> None:
    module = build("mistral", sliding_window=16)
    assert probe(module, VOCABULARY).packs == 16


def test_a_prompt_runs_once_for_chosen_and_rejected(
    one_node: MakeProgram, plain_folder: Path, chat_folder: Path
) -> None:
    prompt = "She sold 48 clips in April, and half as many in May. How many?"
    flat = [Request("ada", prompt, Completion(text)) for text in (" 72 clips.", " 24 clips.")]
    sizes: list[int] = []

    def note(_: Any, args: Any, inputs: Any) -> None:
        sizes.append(inputs["input_ids"].numel())

    for folder in (plain_folder, chat_folder):
        engine: Any = System(one_node(folder, train="full"), device="cpu")._engines["ada"]
        tokens = len(prefixes([engine._encoded(request) for request in flat]))
        for reference in (False, True):
            module = engine._weights["ada"].module(reference=reference)
            with module.register_forward_pre_hook(note, with_kwargs=True):
                engine.log_prob(flat, reference=reference)
            assert sizes.pop() == tokens
            assert not sizes
