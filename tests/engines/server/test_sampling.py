"""Texts that a server draws: from the very prompts and weights that are scored and trained here."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from sysgraph import Completion, System, Trace
from sysgraph.engines import Draw
from sysgraph.traces.prompt import ChatTurn

from .conftest import Told
from .vllm_like import Vllm

Build = Callable[..., System]
Jitter = Callable[[System, float], None]
QUESTION = "How many clips?"
LOAD, UNLOAD = "/v1/load_lora_adapter", "/v1/unload_lora_adapter"


def served(vllm: Vllm, model: str, prompt: list[int], value: Completion) -> float:
    """log p of the ids as the server's own model and adapter have it."""
    whole = 0.0
    for place, token in enumerate(value.ids or ()):
        logits = vllm._logits(model, prompt + list((value.ids or ())[:place]))
        whole += float(logits.log_softmax(-1)[token])
    return whole


def ids_of(trace: Trace, node: str) -> Completion:
    value = trace.values[node]
    assert isinstance(value, Completion)
    assert value.ids
    return value


def test_adapters_on_one_base_draw_what_is_trained_and_are_sent_when_they_change(
    build: Build, vllm: Vllm, told: Told, jitter: Jitter
) -> None:
    system = build(ada={}, bo={"temperature": 0.7, "top_p": 0.9}, cy={"train": "frozen"})
    jitter(system, 0.3)
    traces = system.sample({"question": QUESTION}, n=3, seed=5)
    loaded = [body["lora_name"] for body in vllm.bodies(LOAD)]
    assert [name.split("-")[2] for name in loaded] == ["ada", "bo"]
    names = dict(zip(("ada", "bo", "cy"), (*loaded, "base"), strict=True))
    text = f"<|im_start|>user\n{QUESTION}<|im_end|>\n<|im_start|>assistant\n"
    prompt = vllm.tokenizer(text)["input_ids"]
    log_probs = system.log_prob(traces)
    for model, name in names.items():
        (body,) = [b for b in vllm.bodies() if b["model"] == name and "logprobs" not in b]
        assert (body["n"], body["prompt"]) == (3, prompt), "one request"
        wanted = {"ada": (1.0, 1.0), "bo": (0.7, 0.9), "cy": (1.0, 1.0)}[model]
        assert (body["temperature"], body["top_p"]) == wanted
        for trace, ours in zip(traces, log_probs[f"by_{model}"].tolist(), strict=True):
            value = ids_of(trace, f"by_{model}")
            assert ours == pytest.approx(served(vllm, name, prompt, value), abs=1e-4)
    neutral = {"top_k": -1, "min_p": 0.0, "repetition_penalty": 1.0, "ignore_eos": True}
    assert neutral.items() <= body.items()
    ends = vllm.tokenizer.convert_tokens_to_ids(["<|im_end|>", "<|endoftext|>"])
    assert sorted(body["stop_token_ids"]) == sorted(ends)
    assert len([line for line in told.lines if "as it is here" in line]) == 3

    before = len(vllm.asked)
    assert system.sample({"question": QUESTION}, n=3, seed=5) == traces
    assert len(vllm.asked) == before, "what is known is not asked again"
    with torch.no_grad():
        for parameter in system.parameters("ada").values():
            parameter.add_(0.05)
        for parameter in system.parameters("bo").values():
            parameter.add_(0.0)  # may have changed, and has not
    again = system.sample({"question": QUESTION}, n=3, seed=5)
    assert len(vllm.bodies(LOAD)) == 3
    new = vllm.bodies(LOAD)[-1]
    assert new["lora_name"] not in loaded
    assert new["lora_path"] not in [body["lora_path"] for body in vllm.bodies(LOAD)[:-1]]
    assert [body["lora_name"] for body in vllm.bodies(UNLOAD)] == [loaded[0]]
    ours = system.log_prob(again)["by_ada"].tolist()
    theirs = [served(vllm, new["lora_name"], prompt, ids_of(t, "by_ada")) for t in again]
    assert ours == pytest.approx(theirs, abs=1e-4)
    folder = Path(new["lora_path"]).parents[1]
    assert len([*folder.iterdir()]) == 2, "of each model the newest"
    del system
    assert not folder.exists()
    assert vllm.adapters == {}


def test_a_frozen_adapter_is_sent_once(
    build: Build, vllm: Vllm, told: Told, jitter: Jitter, tmp_path: Path
) -> None:
    trained = build(ada={"sampler": None})
    jitter(trained, 0.3)
    trained.save(tmp_path / "models")
    own = {"adapter": str(tmp_path / "models" / "ada"), "train": "frozen"}
    system = build(bo=own)
    for seed in (1, 2):
        (trace,) = system.sample({"question": QUESTION}, seed=seed)
        assert ids_of(trace, "by_bo").ids
    assert len(vllm.bodies(LOAD)) == 1
    assert Path(vllm.bodies(LOAD)[0]["lora_path"]).parents[2] == tmp_path / "cache" / "adapters"
    assert len(told.lines) == 1


def test_a_text_ends_where_the_models_own_engine_ends_it(
    build: Build, vllm: Vllm, jitter: Jitter
) -> None:
    turns = (ChatTurn("user", QUESTION),)
    system = build(ada={"max_new_tokens": 12, "stop": ["e", "1"], "temperature": 1.5})
    jitter(system, 0.2)
    draws = [Draw("ada", turns, seed) for seed in range(16)]
    own = system._engines["ada"]
    ended = {"stop": 0, "end": 0, "cut": 0}
    for value in system.draw(draws):
        assert isinstance(value, Completion)
        assert value.ids
        whole = vllm.tokenizer.decode(value.ids, skip_special_tokens=True)
        if value.text != whole:
            ended["stop"] += 1
            assert whole.startswith(value.text)
            assert "e" in whole or "1" in whole
        elif value.ids[-1] in own._weights["ada"].resident.ends:  # type: ignore[attr-defined]
            ended["end"] += 1
        else:
            ended["cut"] += 1
            assert len(value.ids) == 12
        assert "e" not in value.text
    assert ended["stop"] > 4
    assert {body["n"] for body in vllm.bodies()} == {1, 16}


def test_equal_draws_are_equal_and_greedy_ones_are_asked_for_once(build: Build, vllm: Vllm) -> None:
    system = build(ada={"temperature": 0.0})
    turns = (ChatTurn("user", QUESTION),)
    found = system.draw([Draw("ada", turns, seed) for seed in (1, 2, 1, 3)])
    assert len(set(found)) == 1
    assert [body["n"] for body in vllm.bodies()] == [1, 1]
    other = build(ada={"sampler": None, "temperature": 0.0})
    assert other.draw([Draw("ada", turns, 1)]) == found[:1], "as it is drawn in process"
    hot = build(ada={})
    several = hot.draw([Draw("ada", turns, seed) for seed in (1, 2, 1, 3)])
    assert several[0] == several[2]
    assert len(set(several)) == 3
