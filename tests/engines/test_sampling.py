"""Samples come from the very distribution that is scored, and depend on their seed alone."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from scipy import stats
from torch import Tensor
from transformers import AutoModelForCausalLM, AutoTokenizer

from sysgraph import Completion, InputError, Program, System, Trace
from sysgraph.support.seeding import uniforms

MakeProgram = Callable[..., Program]

PROMPT = "How many clips did she sell?"
INPUTS = [{"question": q} for q in (PROMPT, "Q", "She sold 48 clips in April, half in May. Total?")]


def ids(trace: Trace) -> tuple[int, ...]:
    value = trace.values["answer"]
    assert isinstance(value, Completion)
    assert value.ids
    return value.ids


def first_token_logits(folder: Path, prompt: str) -> Tensor:
    module = AutoModelForCausalLM.from_pretrained(folder).eval()
    tokens = torch.tensor([AutoTokenizer.from_pretrained(folder).encode(prompt)])
    with torch.no_grad():
        return module(tokens).logits[0, -1].double()


def nucleus(probabilities: Tensor, top_p: float) -> Tensor:
    """The likeliest tokens until `top_p` is reached, renormalized."""
    kept = torch.zeros_like(probabilities)
    for token in probabilities.argsort(descending=True).tolist():
        if kept.sum() >= top_p:
            break
        kept[token] = probabilities[token]
    return kept / kept.sum()


# ---- one seed, one trace


@pytest.mark.parametrize("batch_size", [1, 3, None])
def test_same_traces_whatever_is_beside_them(
    one_node: MakeProgram, chat_folder: Path, batch_size: int | None
) -> None:
    system = System(one_node(chat_folder, max_new_tokens=8), device="cpu")
    together = system.sample(INPUTS, n=4, seed=5, batch_size=batch_size)
    alone = [system.sample(row, n=1, seed=5, batch_size=1)[0] for row in INPUTS]
    assert [together[i] for i in (0, 4, 8)] == alone
    backwards = system.sample(INPUTS[::-1], n=4, seed=5, batch_size=batch_size)
    assert backwards[8:] + backwards[4:8] + backwards[:4] == together
    assert system.sample(INPUTS, n=2, seed=5)[2:4] == together[4:6]
    assert len({ids(trace) for trace in together}) == 12
    assert system.sample(INPUTS, n=4, seed=6) != together


def test_nodes_and_models_draw_their_own_numbers(
    several_nodes: MakeProgram, plain_folder: Path
) -> None:
    """Two nodes with equal prompts on equal models are independent draws, not the same one."""
    base = {"id": str(plain_folder), "max_new_tokens": 8}
    program = several_nodes(
        {"ada": base, "bo": base},
        {n: {"model": m, "prompt": "{{ question }}"} for n, m in (("x", "ada"), ("y", "bo"))},
    )
    for trace in System(program, device="cpu").sample(INPUTS[0], n=3):
        assert trace.values["x"] != trace.values["y"]


def test_uniform_numbers_are_uniform_and_depend_on_their_seed_alone() -> None:
    drawn = uniforms(range(400), 16)
    assert drawn.dtype == torch.float32
    assert stats.kstest(drawn.flatten().numpy(), "uniform").pvalue > 0.01
    assert torch.equal(uniforms([7, 3], 4), drawn[[7, 3], :4])


# ---- the distribution


@pytest.mark.parametrize(
    ("temperature", "top_p"), [(1.0, 1.0), (0.6, 1.0), (1.7, 1.0), (1.0, 0.8), (0.7, 0.5)]
)
def test_first_token_follows_the_declared_distribution(
    one_node: MakeProgram, chat_folder: Path, temperature: float, top_p: float
) -> None:
    """The checkpoint's own repetition_penalty, top_k, top_p and min_new_tokens play no part."""
    draws = 3000
    program = one_node(chat_folder, max_new_tokens=1, temperature=temperature, top_p=top_p)
    traces = System(program, device="cpu").sample(INPUTS[0], n=draws, seed=1)
    logits = first_token_logits(chat_folder, PROMPT)
    wanted = nucleus((logits / temperature).softmax(-1), top_p)
    counts = torch.bincount(torch.tensor([ids(t)[0] for t in traces]), minlength=len(wanted))
    assert counts[wanted == 0].sum() == 0
    often = wanted * draws >= 5  # chi-square's rule; the rest is one bin
    assert often.sum() > 2
    observed = [*counts[often].tolist(), int(counts[~often].sum())]
    expected = [*(wanted[often] * draws).tolist(), float(wanted[~often].sum() * draws)]
    if expected[-1] == 0:
        observed, expected = observed[:-1], expected[:-1]
    assert stats.chisquare(observed, expected).pvalue > 0.001


def test_temperature_zero_takes_the_likeliest(one_node: MakeProgram, plain_folder: Path) -> None:
    program = one_node(plain_folder, max_new_tokens=6, temperature=0)
    found = System(program, device="cpu").sample(INPUTS, n=2)
    module = AutoModelForCausalLM.from_pretrained(plain_folder).eval()
    tokenizer = AutoTokenizer.from_pretrained(plain_folder)
    for i, row in enumerate(INPUTS):
        tokens = tokenizer.encode(row["question"])
        start = len(tokens)
        while len(tokens) < start + 6 and tokens[-1] != tokenizer.eos_token_id:
            with torch.no_grad():
                tokens.append(int(module(torch.tensor([tokens])).logits[0, -1].argmax()))
        assert ids(found[2 * i]) == ids(found[2 * i + 1]) == tuple(tokens[start:])


def test_log_prob_of_a_sample_sums_its_steps(one_node: MakeProgram, plain_folder: Path) -> None:
    """Prompts of three lengths, so that the shorter ones were padded on the left when sampled."""
    system = System(one_node(plain_folder, max_new_tokens=6), device="cpu")
    traces = system.sample(INPUTS, n=2, seed=3)
    module = AutoModelForCausalLM.from_pretrained(plain_folder).eval()
    tokenizer = AutoTokenizer.from_pretrained(plain_folder)
    wanted = []
    for trace in traces:
        prompt, total = tokenizer.encode(trace.inputs["question"]), 0.0
        for t, token in enumerate(ids(trace)):
            with torch.no_grad():
                logits = module(torch.tensor([[*prompt, *ids(trace)[:t]]])).logits[0, -1]
            total += float(logits.log_softmax(-1)[token])
        wanted.append(total)
    found = system.log_prob(traces)["answer"].detach()
    torch.testing.assert_close(found, torch.tensor(wanted), rtol=1e-5, atol=1e-4)


# ---- how texts end


def test_samples_end_at_any_end_token_or_at_the_limit(
    one_node: MakeProgram, chat_folder: Path, tmp_path: Path
) -> None:
    module = AutoModelForCausalLM.from_pretrained(chat_folder)
    tokenizer = AutoTokenizer.from_pretrained(chat_folder)
    ends = tokenizer.convert_tokens_to_ids(["<|im_end|>", "<|endoftext|>"])
    with torch.no_grad():
        module.model.embed_tokens.weight *= 0.1  # tied: near uniform, so that ends come up
    module.resize_token_embeddings(len(tokenizer))
    module.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    system = System(one_node(tmp_path, max_new_tokens=60), device="cpu")
    traces = system.sample(INPUTS[0], n=300, seed=2)
    last = set()
    for trace in traces:
        assert not set(ids(trace)[:-1]) & set(ends)
        if ids(trace)[-1] in ends:
            last.add(ids(trace)[-1])
        else:
            assert len(ids(trace)) == 60
            last.add(-1)
        assert trace["answer"] == tokenizer.decode(ids(trace), skip_special_tokens=True)
    assert last == {-1, *ends}


def test_a_prompt_runs_once_and_ended_texts_leave(
    one_node: MakeProgram, plain_folder: Path, tmp_path: Path
) -> None:
    """And every text is what it is alone."""
    module = AutoModelForCausalLM.from_pretrained(plain_folder)
    with torch.no_grad():
        module.lm_head.weight *= 0.1  # near uniform
        module.lm_head.weight[module.config.eos_token_id] *= 40  # ends come up, here and there
    module.save_pretrained(tmp_path)
    AutoTokenizer.from_pretrained(plain_folder).save_pretrained(tmp_path)
    system = System(one_node(tmp_path, max_new_tokens=40), device="cpu")
    engine: Any = system._engines["ada"]
    shapes: list[tuple[int, ...]] = []

    def note(_: Any, args: Any, inputs: Any) -> None:
        shapes.append(tuple(inputs["input_ids"].shape))

    with (
        engine._weights["ada"]
        .module(reference=False)
        .register_forward_pre_hook(note, with_kwargs=True)
    ):
        together = system.sample(INPUTS, n=6, seed=3)
    lengths = sorted(len(ids(trace)) for trace in together)
    assert lengths[0] < lengths[9] < lengths[-1]
    rows = [rows for rows, _ in shapes]
    assert rows[:2] == [len(INPUTS), 18]
    assert sorted(rows[1:], reverse=True) == rows[1:]
    running = [sum(length > step for length in lengths) for step in range(1, len(rows))]
    assert all(run <= count < run / 0.75 + 1 for count, run in zip(rows[1:], running, strict=True))
    alone = system.sample(INPUTS, n=6, seed=3, batch_size=1)
    assert together == alone


# ---- prompts


def test_messages_are_sampled_after_the_generation_prompt(
    one_node: MakeProgram, chat_folder: Path
) -> None:
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "{{ question }}"},
    ]
    program = one_node(chat_folder, messages=messages, max_new_tokens=4, temperature=0)
    system = System(program, device="cpu")
    trace = system.sample(INPUTS[0])[0]
    prompt = (
        f"<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\n{PROMPT}<|im_end|>\n"
        "<|im_start|>assistant\n"
    )
    assert ids(trace)[0] == int(first_token_logits(chat_folder, prompt).argmax())
    step = first_token_logits(chat_folder, prompt).log_softmax(-1).max()
    text = AutoTokenizer.from_pretrained(chat_folder).decode(ids(trace)[:1])
    one = Trace(trace.inputs, {"answer": Completion(text, ids(trace)[:1])}, trace.outputs)
    torch.testing.assert_close(system.log_prob([one])["answer"][0].detach(), step.float())


def test_messages_need_a_template(one_node: MakeProgram, plain_folder: Path) -> None:
    messages = [{"role": "user", "content": "{{ question }}"}]
    said = r"answer: model 'ada': `messages:` needs a chat template .* use `prompt:`"
    with pytest.raises(InputError, match=said):
        System(one_node(plain_folder, messages=messages), device="cpu")


def test_a_template_that_refuses_its_messages(
    one_node: MakeProgram, chat_folder: Path, tmp_path: Path
) -> None:
    AutoModelForCausalLM.from_pretrained(chat_folder).save_pretrained(tmp_path)
    tokenizer = AutoTokenizer.from_pretrained(chat_folder)
    tokenizer.chat_template = "{{ raise_exception('System role not supported') }}"
    tokenizer.save_pretrained(tmp_path)
    messages = [{"role": "user", "content": "{{ question }}"}]
    said = "answer: model 'ada': .* refuses these messages: System role not supported"
    with pytest.raises(InputError, match=said):
        System(one_node(tmp_path, messages=messages), device="cpu")


def test_an_empty_prompt_needs_a_first_token(one_node: MakeProgram, chat_folder: Path) -> None:
    system = System(one_node(chat_folder), device="cpu")
    with pytest.raises(InputError, match="prompt is empty and the tokenizer adds no beginning"):
        system.sample({"question": ""})


def test_an_empty_prompt_with_a_first_token(one_node: MakeProgram, plain_folder: Path) -> None:
    program = one_node(plain_folder, max_new_tokens=1, temperature=0)
    trace = System(program, device="cpu").sample({"question": ""})[0]
    assert ids(trace)[0] == int(first_token_logits(plain_folder, "").argmax())


def test_a_prompt_that_leaves_no_room(one_node: MakeProgram, chat_folder: Path) -> None:
    system = System(one_node(chat_folder, max_new_tokens=1000), device="cpu")
    said = (
        r"prompt of \d+ tokens and max_new_tokens 1000 do not fit the window of 1024 of model 'ada'"
    )
    with pytest.raises(InputError, match=said):
        system.sample({"question": "clips " * 30})
