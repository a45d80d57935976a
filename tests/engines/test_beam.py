"""Beam search equals transformers' and a slow search written from the paper, token by token."""

import hashlib
import json
import math
import random
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from transformers import AutoConfig, AutoModelForCausalLM, GenerationConfig, PreTrainedModel

from sysgraph.engines.causal_lm.beam import beam_search
from sysgraph.engines.causal_lm.beam_settings import BeamSettings

Prompt = tuple[int, ...]
Texts = list[tuple[Prompt, float]]

# Made by transformers 4.55.4, the last that has group beam search, on models that `seeded` builds.
ORACLE = json.loads((Path(__file__).parent / "data" / "beam_search.json").read_text())
SHARED = Path(__file__).parents[3] / "shared" / "data" / "diverse_beam_search"
SETTINGS = ("beams", "groups", "diversity_penalty", "max_new_tokens", "pad", "ends")


@cache
def seeded(index: int) -> PreTrainedModel:
    """A model of the oracle: integers from numpy's Philox, scaled, so exact on any machine."""
    spec = dict(ORACLE["models"][index])
    wanted = spec.pop("checksum")
    rng, scale = np.random.Generator(np.random.Philox(spec.pop("seed"))), spec.pop("scale")
    model = AutoModelForCausalLM.from_config(
        AutoConfig.for_model(spec.pop("architecture"), **spec)
    ).eval()
    digest = hashlib.sha256()
    with torch.no_grad():
        for name, parameter in sorted(model.named_parameters()):
            drawn = rng.integers(-1000, 1001, tuple(parameter.shape)).astype(np.float32) / 1000
            parameter.copy_(torch.from_numpy(drawn * np.float32(scale)))
            if parameter.ndim == 1:  # a norm's gain, or a bias
                parameter.add_(0.5)
            digest.update(name.encode() + parameter.numpy().tobytes())
    assert digest.hexdigest()[:16] == wanted, "not the weights that the oracle was made with"
    return model


def search(module: nn.Module, prompts: Sequence[Sequence[int]], **settings: Any) -> list[Texts]:
    found = beam_search(module, [tuple(prompt) for prompt in prompts], BeamSettings(**settings))
    return [[(text.ids, text.score) for text in texts] for texts in found]


def assert_equal(found: Sequence[Texts], wanted: Sequence[Texts]) -> None:
    assert [[ids for ids, _ in texts] for texts in found] == [
        [tuple(ids) for ids, _ in texts] for texts in wanted
    ]
    for some, others in zip(found, wanted, strict=True):
        assert [s for _, s in some] == pytest.approx([s for _, s in others], abs=1e-4, rel=1e-5)


def cut(row: Sequence[int], ends: Sequence[int]) -> Prompt:
    stop = next((i + 1 for i, token in enumerate(row) if token in ends), len(row))
    return tuple(row[:stop])


# ---- transformers


@pytest.mark.parametrize("case", ORACLE["cases"], ids=lambda case: f"model{case['model']}")
def test_equals_transformers_4(case: dict[str, Any]) -> None:
    settings = {name: case[name] for name in (*SETTINGS, "length_penalty")}
    found = search(seeded(case["model"]), case["prompts"], **settings)
    found = [texts[: case["k"]] for texts in found]  # its `num_return_sequences`
    if case["groups"] > 1:  # there, transformers writes its first end token, whichever ended a text
        ends = case["ends"]
        found = [
            [((*i[:-1], ends[0]) if i[-1] in ends else i, s) for i, s in texts] for texts in found
        ]
    assert_equal(found, case["found"])


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared data are not here")
def test_equals_the_shared_cases() -> None:
    cases = json.loads((SHARED / "cases.json").read_text())
    module = AutoModelForCausalLM.from_pretrained(SHARED).eval()
    end = cases["eos_token_id"]
    for case in cases["cases"]:
        rows = zip(case["input_ids"], case["attention_mask"], strict=True)
        prompts = [[i for i, seen in zip(*row, strict=True) if seen] for row in rows]
        k = case["num_beams"]
        found = search(
            module,
            prompts,
            beams=k,
            groups=case["num_beam_groups"],
            pad=cases["pad_token_id"],
            ends=[end],
            **{n: case[n] for n in ("diversity_penalty", "max_new_tokens", "length_penalty")},
        )
        ids = [cut(row, [end]) for row in case["sequences"]]
        flat = list(zip(ids, case["sequences_scores"], strict=True))
        assert_equal(found, [flat[i * k : (i + 1) * k] for i in range(len(prompts))])


@pytest.mark.parametrize("seed", range(12))
def test_one_group_equals_transformers_5(seed: int) -> None:
    """Its own `generate`, which has plain beam search still."""
    rng = random.Random(seed)
    module = seeded(rng.randrange(len(ORACLE["models"])))
    vocabulary = module.config.vocab_size
    beams, room, ends = rng.randint(2, 4), rng.choice([1, 5, 14]), rng.sample(range(vocabulary), 2)
    prompts = [[rng.randrange(vocabulary) for _ in range(rng.randint(1, 9))] for _ in range(3)]
    found = search(
        module,
        prompts,
        beams=beams,
        groups=1,
        diversity_penalty=0.0,
        max_new_tokens=room,
        pad=None,
        ends=ends,
    )
    for prompt, texts in zip(prompts, found, strict=True):
        out = module.generate(
            torch.tensor([prompt]),
            attention_mask=torch.ones(1, len(prompt), dtype=torch.long),
            generation_config=GenerationConfig(
                num_beams=beams,
                num_return_sequences=beams,
                max_new_tokens=room,
                eos_token_id=ends,
                pad_token_id=0,
                return_dict_in_generate=True,
                output_scores=True,
            ),
        )
        ids = [cut(row, ends) for row in out.sequences[:, len(prompt) :].tolist()]
        assert_equal([texts], [list(zip(ids, out.sequences_scores.tolist(), strict=True))])


# ---- the paper


def slow(
    module: PreTrainedModel,
    prompt: Sequence[int],
    *,
    groups: int,
    size: int,
    penalty: float,
    room: int,
    over: Callable[[Prompt], bool],
) -> list[list[Prompt]]:
    """Each group's texts, best first: algorithm 1 of arXiv 1610.02424 with Hamming diversity.

    No cache, no batch, no early stop: every group runs to the length limit, or until its best
    `size` finished texts cannot be beaten, which with scores that are sums is when no unfinished
    one is above them. `over` says which texts have ended.
    """
    beams: list[list[tuple[Prompt, float]]] = [[((), 0.0)] for _ in range(groups)]
    ended: list[list[tuple[Prompt, float]]] = [[] for _ in range(groups)]
    for _ in range(room):
        picked: list[int] = []  # by earlier groups, at this step
        for g in range(groups):
            if len(ended[g]) == size and (min(s for _, s in ended[g]) >= beams[g][0][1]):
                continue
            candidates = []
            for ids, total in beams[g]:
                with torch.no_grad():
                    logits = module(torch.tensor([[*prompt, *ids]])).logits[0, -1]
                for token, log_p in enumerate(logits.double().log_softmax(-1).tolist()):
                    score = total + log_p - penalty * picked.count(token)
                    candidates.append(((*ids, token), score))
            candidates.sort(key=lambda c: -c[1])
            ended[g] += [c for c in candidates[:size] if over(c[0])]
            ended[g] = sorted(ended[g], key=lambda c: -c[1])[:size]
            beams[g] = [c for c in candidates if not over(c[0])][:size]
            picked += [ids[-1] for ids, _ in beams[g]]
    for g in range(groups):
        if not (len(ended[g]) == size and min(s for _, s in ended[g]) >= beams[g][0][1]):
            ended[g] = sorted(ended[g] + beams[g], key=lambda c: -c[1])[:size]
    return [[ids for ids, _ in texts] for texts in ended]


@pytest.mark.parametrize("groups", [1, 2, 3])
@pytest.mark.parametrize("size", [1, 2])
@pytest.mark.parametrize("model", range(len(ORACLE["models"])))
def test_equals_a_slow_search_from_the_paper(model: int, size: int, groups: int) -> None:
    """Several prompts side by side; with length_penalty 0 the scores are sums, as in the paper."""
    module, rng = seeded(model), random.Random(model)
    vocabulary = module.config.vocab_size
    prompts = [[rng.randrange(vocabulary) for _ in range(n)] for n in (9, 1, 4)]
    ends = rng.sample(range(vocabulary), 2)
    found = beam_search(
        module,
        [tuple(prompt) for prompt in prompts],
        BeamSettings(
            beams=groups * size,
            groups=groups,
            diversity_penalty=1.5,
            max_new_tokens=8,
            pad=None,
            ends=ends,
            length_penalty=0.0,
        ),
    )
    for prompt, texts in zip(prompts, found, strict=True):
        how: dict[str, Any] = {"groups": groups, "size": size, "penalty": 1.5, "room": 8}
        wanted = slow(module, prompt, **how, over=lambda ids: ids[-1] in ends)
        assert [[t.ids for t in texts if t.group == g] for g in range(groups)] == wanted


def test_a_score_is_log_p_less_what_diversity_cost() -> None:
    module, prompt, room = seeded(0), (5, 6, 7), 6
    first, second = sorted(
        beam_search(
            module,
            [prompt],
            BeamSettings(
                beams=2,
                groups=2,
                diversity_penalty=0.2,
                max_new_tokens=room,
                pad=None,
                ends=[],
            ),
        )[0],
        key=lambda text: text.group,
    )
    agreed = sum(a == b for a, b in zip(first.ids, second.ids, strict=True))
    assert 0 < agreed < room  # else nothing is shown
    for text, cost in ((first, 0.0), (second, 0.2 * agreed)):
        with torch.no_grad():
            logits = module(torch.tensor([prompt + text.ids])).logits[0, len(prompt) - 1 : -1]
        log_p = logits.log_softmax(-1)[range(room), list(text.ids)].sum().item()
        assert text.score == pytest.approx((log_p - cost) / room, abs=1e-5)


# ---- work


def test_prompts_are_read_once_and_what_has_stopped_is_not_run() -> None:
    module, rows = seeded(4), []
    hook = module.register_forward_pre_hook(
        lambda _, __, inputs: rows.append(tuple(inputs["input_ids"].shape)), with_kwargs=True
    )
    prompts = [(i, i + 1) for i in range(6)]
    found = beam_search(
        module,
        prompts,
        BeamSettings(
            beams=4,
            groups=2,
            diversity_penalty=1.0,
            max_new_tokens=16,
            pad=None,
            ends=[1, 2, 3],
        ),
    )
    hook.remove()
    assert rows[0] == (6, 2)
    assert all(width == 1 for _, width in rows[1:])
    counts = [count for count, _ in rows[1:]]
    assert counts[0] <= 6 * 4
    assert counts == sorted(counts, reverse=True)
    assert len(set(counts)) > 3
    # A group that kept `size` texts has stopped after a step at or after its longest one.
    lasts = [
        max(len(t.ids) for t in texts if t.group == group) for texts in found for group in (0, 1)
    ]
    for step, count in enumerate(counts, start=1):
        assert count >= 2 * sum(last > step for last in lasts)


def test_a_tree_with_fewer_texts_than_beams() -> None:
    """Twelve tokens and room for one: twelve texts, whatever is asked for."""
    module, end = seeded(4), 1
    for groups in (1, 2):
        (texts,) = beam_search(
            module,
            [(3,)],
            BeamSettings(
                beams=40,
                groups=groups,
                diversity_penalty=2.0,
                max_new_tokens=1,
                pad=None,
                ends=[end],
            ),
        )
        by_group = [{t.ids[0]: t.score for t in texts if t.group == g} for g in range(groups)]
        assert [sorted(scores) for scores in by_group] == [list(range(12))] * groups
        assert math.fsum(map(math.exp, by_group[0].values())) == pytest.approx(1, abs=1e-5)
        for token, score in by_group[-1].items():  # an end is no pick, nor are beams without a text
            cost = 2.0 if groups > 1 and token != end else 0.0
            assert score == pytest.approx(by_group[0][token] - cost, abs=1e-5)
