"""Log-probabilities equal a plain loop over rows and tokens, however requests are put together."""

import itertools
import random
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from sysgraph import Completion, InputError, Program, System, Trace
from sysgraph.engines import Request
from sysgraph.engines.causal_lm import engine as lm_engine
from sysgraph.engines.checkpoints.batching import batches

MakeProgram = Callable[..., Program]
MakeTrace = Callable[..., Trace]

ROWS = [
    ("How many clips did she sell?", " 72 clips."),
    ("Q", " It takes 3 bolts of fiber, and half that much again for the robe."),
    ("She sold 48 clips in April, and half as many in May. How many?", ""),
    ("A robe takes 2 bolts.", " naïve 🐥"),
]


def looped(module: PreTrainedModel, prompt: list[int], completion: list[int]) -> float:
    """Log p of `completion`, one token at a time, each from its own forward pass, in float32."""
    total = 0.0
    for i, token in enumerate(completion):
        with torch.no_grad():
            logits = module(torch.tensor([prompt + completion[:i]])).logits[0, -1]
        total += float(logits.float().log_softmax(-1)[token])
    return total


def oracle(folder: Path, dtype: torch.dtype) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    module = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype).eval()
    return module, AutoTokenizer.from_pretrained(folder)


def requests(rows: list[tuple[str, str]]) -> list[Request]:
    return [Request("ada", prompt, Completion(text)) for prompt, text in rows]


def scores(program: Program, flat: list[Request]) -> Tensor:
    with torch.no_grad():
        return System(program, device="cpu").score(flat)


@pytest.fixture(scope="module")
def expected(plain_folder: Path) -> list[float]:
    """The loop's answers to ROWS under the plain checkpoint."""
    module, tokenizer = oracle(plain_folder, torch.float32)
    end = tokenizer.eos_token_id
    encode = tokenizer.encode
    return [
        looped(module, encode(prompt), [*encode(text, add_special_tokens=False), end])
        for prompt, text in ROWS
    ]


def test_equals_a_loop_over_tokens(
    one_node: MakeProgram, plain_folder: Path, trace: MakeTrace, expected: list[float]
) -> None:
    system = System(one_node(plain_folder), device="cpu")
    found = system.log_prob([trace(prompt, answer=text) for prompt, text in ROWS])
    assert found["answer"].dtype == torch.float32
    torch.testing.assert_close(found["answer"], torch.tensor(expected), rtol=1e-5, atol=1e-4)


def test_order_duplicates_and_passes_change_nothing(
    one_node: MakeProgram,
    plain_folder: Path,
    expected: list[float],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    program = one_node(plain_folder)
    picks = [random.Random(0).randrange(len(ROWS)) for _ in range(11)]
    wanted = torch.tensor([expected[i] for i in picks])
    for tokens in (1, 60, 10_000):  # every row alone; some together; all together
        monkeypatch.setattr(lm_engine, "TOKENS_PER_PASS", tokens)
        found = scores(program, requests([ROWS[i] for i in picks]))
        torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-4)


def test_equal_requests_run_once(
    one_node: MakeProgram, plain_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lm_engine, "TOKENS_PER_PASS", 1)
    system = System(one_node(plain_folder), device="cpu")
    calls = []
    module = system._engines["ada"]._weights["ada"].module(reference=False)
    module.register_forward_hook(lambda *_: calls.append(1))
    system.score(requests([ROWS[0], ROWS[1], ROWS[0], ROWS[0]]))
    assert len(calls) == 2


def test_a_gradient_counts_each_duplicate(one_node: MakeProgram, plain_folder: Path) -> None:
    def gradient(rows: list[tuple[str, str]]) -> Tensor:
        system = System(one_node(plain_folder, train="full"), device="cpu")
        system.score(requests(rows)).sum().backward()
        return torch.cat([p.grad.flatten() for p in system.parameters("ada").values()])

    torch.testing.assert_close(
        gradient([ROWS[0], ROWS[1], ROWS[0]]),
        2 * gradient([ROWS[0]]) + gradient([ROWS[1]]),
        rtol=1e-4,
        atol=1e-4,
    )


def test_bfloat16_base_is_summed_in_float32(one_node: MakeProgram, plain_folder: Path) -> None:
    prompt, text = "Q", "".join(f" {n} clips and half of {n} bolts" for n in range(12))
    found = scores(
        one_node(plain_folder, train="frozen", dtype="bfloat16"), requests([(prompt, text)])
    )
    module, tokenizer = oracle(plain_folder, torch.bfloat16)
    ids = tokenizer.encode(prompt + text + tokenizer.eos_token)
    start = len(tokenizer.encode(prompt))
    with torch.no_grad():
        logits = module(torch.tensor([ids])).logits[0, start - 1 : -1]
    targets = torch.tensor(ids[start:])[:, None]
    exact = logits.double().log_softmax(-1).gather(1, targets).sum()
    rounded = logits.log_softmax(-1).gather(1, targets).sum()
    assert found.dtype == torch.float32
    assert abs(rounded - exact) > 0.1  # else nothing is shown
    torch.testing.assert_close(found[0].double(), exact, rtol=1e-5, atol=0)


ARCHITECTURES = {
    "gemma2": {"final_logit_softcapping": 2.0, "head_dim": 8},  # acts on logits
    "cohere": {"logit_scale": 0.3},  # acts on logits
    "granite": {"logits_scaling": 3.0},  # acts on logits
    "gpt2": {"n_embd": 32, "n_layer": 2, "n_head": 4},
    "opt": {"ffn_dim": 48, "word_embed_proj_dim": 32},
    "xglm": {
        "d_model": 32,
        "ffn_dim": 48,
        "num_layers": 2,
        "attention_heads": 4,
    },  # keeps all logits
    "gpt_neox": {},  # its output layer is called embed_out
}


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_any_causal_lm(
    one_node: MakeProgram, plain_folder: Path, tmp_path: Path, architecture: str
) -> None:
    tokenizer = AutoTokenizer.from_pretrained(plain_folder)
    config = AutoConfig.for_model(
        architecture,
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=128,
        pad_token_id=0,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        **ARCHITECTURES[architecture],
    )
    torch.manual_seed(0)
    module = AutoModelForCausalLM.from_config(config).eval()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
    module.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    found = scores(one_node(tmp_path), requests(ROWS[:2]))
    wanted = []
    for prompt, text in ROWS[:2]:
        ids = tokenizer.encode(prompt + text + tokenizer.eos_token)
        start = len(tokenizer.encode(prompt))
        wanted.append(looped(module, ids[:start], ids[start:]))
    torch.testing.assert_close(found, torch.tensor(wanted), rtol=1e-4, atol=1e-4)


# ---- which ids are scored


def test_sampled_ids_are_scored_as_they_are(one_node: MakeProgram, plain_folder: Path) -> None:
    module, tokenizer = oracle(plain_folder, torch.float32)
    text = "half as many"
    whole = tokenizer.encode(text, add_special_tokens=False)
    letters = [i for c in text for i in tokenizer.encode(c, add_special_tokens=False)]
    assert letters != whole
    end = tokenizer.eos_token_id
    stored = [letters, [*letters, end], [*whole, end]]  # cut by the limit; ended; as text would be
    flat = [Request("ada", "Q", Completion(text, tuple(ids))) for ids in stored]
    found = scores(one_node(plain_folder), flat)
    wanted = [looped(module, tokenizer.encode("Q"), ids) for ids in stored]
    torch.testing.assert_close(found, torch.tensor(wanted), rtol=1e-5, atol=1e-4)
    assert len(set(wanted)) == 3


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("72 clips", (80, 81)),  # decode to something else
        ("72 clips", (10_000, 10_001)),  # beyond the vocabulary
        ("", (10_000,)),  # an end token that only another tokenizer has
        ("", (-1,)),
    ],
)
def test_ids_of_another_tokenizer_fall_back_to_text(
    one_node: MakeProgram, plain_folder: Path, text: str, ids: tuple[int, ...]
) -> None:
    program = one_node(plain_folder)
    flat = [Request("ada", "Q", Completion(text, i)) for i in (ids, None)]
    found = scores(program, flat)
    assert found[0] == found[1]


def test_ids_that_only_the_model_knows_are_kept(one_node: MakeProgram, chat_folder: Path) -> None:
    module, tokenizer = oracle(chat_folder, torch.float32)
    ids = [*tokenizer.encode("72 clips"), len(tokenizer) + 1, tokenizer.eos_token_id]
    found = scores(one_node(chat_folder), [Request("ada", "Q", Completion("72 clips", tuple(ids)))])
    wanted = looped(module, tokenizer.encode("Q"), ids)
    torch.testing.assert_close(found, torch.tensor([wanted]), rtol=1e-5, atol=1e-4)


# ---- what cannot be scored


@pytest.mark.parametrize(
    ("prompt", "text", "said"),
    [
        ("", "72", "the prompt is empty"),
        ("ha", "lf", "merge into one first token"),
        ("clips " * 2000, "72", "has a window of 1024"),
    ],
)
def test_problems_are_told_before_anything_runs(
    one_node: MakeProgram, chat_folder: Path, prompt: str, text: str, said: str
) -> None:
    system = System(one_node(chat_folder), device="cpu")
    problem = system.problem(Request("ada", prompt, Completion(text)))
    assert problem is not None
    assert said in problem


def test_an_empty_prompt_starts_at_the_beginning_of_sequence_token(
    one_node: MakeProgram, plain_folder: Path
) -> None:
    module, tokenizer = oracle(plain_folder, torch.float32)
    found = scores(one_node(plain_folder), requests([("", "72")]))
    ids = [*tokenizer.encode("72", add_special_tokens=False), tokenizer.eos_token_id]
    wanted = looped(module, [tokenizer.bos_token_id], ids)
    torch.testing.assert_close(found, torch.tensor([wanted]), rtol=1e-5, atol=1e-4)


def test_the_window_counts_prompt_and_completion(
    one_node: MakeProgram, plain_folder: Path, trace: MakeTrace
) -> None:
    system = System(one_node(plain_folder), device="cpu")
    fits = trace("Q", answer=Completion("x", None))
    too_long = trace("clips " * 400, answer=" clips" * 700)
    with pytest.raises(InputError, match=r"trace 1: answer: \d+ tokens .* window of 1024"):
        system.log_prob([fits, too_long])


def test_passes_hold_every_row_once_within_their_size() -> None:
    rng = random.Random(1)
    sizes = [rng.randrange(2, 60) for _ in range(50)]
    found = list(batches(sizes, 40))
    assert sorted(itertools.chain(*found)) == list(range(50))
    for batch in found:
        assert len(batch) == 1 or len(batch) * max(sizes[i] for i in batch) <= 40
