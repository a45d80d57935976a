"""Whatever a model does with padding and caches, it samples, scores and searches as if run whole.

What cannot be used so, or is no causal language model, is refused when it is loaded.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel

from sysgraph import Completion, InputError, Program, RunError, System, Trace
from sysgraph.engines import Search
from sysgraph.engines.causal_lm.decoder import FASTEST
from sysgraph.engines.causal_lm.probe import probe

from .architectures import random_model

MakeProgram = Callable[..., Program]

QUESTIONS = ["How many clips?", "Q", "She sold 48 clips in April, half in May. Total?", "R"]
VOCABULARY = 360
SPEECH = {"decoder_layers": 1, "decoder_attention_heads": 4, "decoder_ffn_dim": 48}
UNUSUAL: dict[str, dict[str, Any]] = {
    "mamba": {"state_size": 8},
    "rwkv": {"attention_hidden_size": 32, "context_length": 64},
    "recurrent_gemma": {"lru_width": 32, "block_types": ["recurrent", "attention"]},
    "minimax": {
        "layer_types": ["linear_attention", "full_attention"],
        "head_dim": 8,
        "num_local_experts": 2,
        "num_experts_per_tok": 1,
        "block_size": 16,
    },
    "xlstm": {"num_heads": 4, "num_blocks": 2, "chunk_size": 8, "qk_dim_factor": 0.5},
    "roberta": {"is_decoder": True},
    "trocr": {"d_model": 32, **SPEECH},
    "bart": {"d_model": 32, "encoder_layers": 1, "encoder_attention_heads": 4, **SPEECH},
}


def build(architecture: str, **settings: Any) -> PreTrainedModel:
    return random_model(architecture, vocabulary=VOCABULARY, **settings)


def saved(module: PreTrainedModel, tokenizer: Any, folder: Path) -> Path:
    module.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def log_probs(module: PreTrainedModel, ids: Sequence[int]) -> torch.Tensor:
    """Of the token after `ids`, in one pass over these tokens alone."""
    with torch.no_grad():
        return module(torch.tensor([list(ids)]), use_cache=False).logits[0, -1].log_softmax(-1)


def sampled(trace: Trace) -> tuple[int, ...]:
    value = trace.values["answer"]
    assert isinstance(value, Completion)
    return value.ids


@pytest.mark.parametrize("architecture", UNUSUAL)
def test_rows_together_are_as_alone_and_whole(
    one_node: MakeProgram, plain_folder: Path, tmp_path: Path, architecture: str
) -> None:
    module = build(architecture, **UNUSUAL[architecture])
    assert probe(module, VOCABULARY) != probe(build("llama"), VOCABULARY)  # an easy one: no test
    tokenizer = AutoTokenizer.from_pretrained(plain_folder)
    folder = saved(module, tokenizer, tmp_path)
    program = one_node(folder, max_new_tokens=5, temperature=0, train="frozen")
    system = System(program, device="cpu")
    traces = system.sample([{"question": q} for q in QUESTIONS])
    totals = []
    for trace in traces:
        ids, total = tokenizer.encode(trace.inputs["question"]), 0.0
        for token in sampled(trace):
            following = log_probs(module, ids)
            assert following[token] == pytest.approx(float(following.max()), abs=1e-5)
            total += float(following[token])
            ids.append(token)
        totals.append(total)
    torch.testing.assert_close(
        system.log_prob(traces)["answer"], torch.tensor(totals), rtol=1e-5, atol=1e-4
    )
    searches = [Search("ada", question, k=3, beams=3) for question in QUESTIONS]
    for question, texts in zip(QUESTIONS, system.search(searches), strict=True):
        found = [Trace({"question": question}, {"answer": text}, ("answer",)) for text in texts]
        scores = system.log_prob(found)["answer"] / torch.tensor([len(t.ids) for t in texts])
        assert len(scores) == 3
        assert scores.tolist() == pytest.approx(sorted(scores.tolist(), reverse=True), abs=1e-5)


@pytest.mark.parametrize(
    ("dtype", "architecture", "settings"),
    [
        (torch.float32, "bert", {}),
        (torch.float32, "roberta", {}),
        (torch.float32, "electra", {"embedding_size": 32}),
        (torch.float32, "xlm", {"emb_dim": 32, "n_layers": 2, "n_heads": 4}),
        (torch.bfloat16, "bert", {}),
        (torch.float16, "roformer", {"embedding_size": 32}),
    ],
)
def test_what_reads_both_ways_is_refused(
    dtype: torch.dtype, architecture: str, settings: dict[str, Any]
) -> None:
    module = build(architecture, **settings).to(dtype)
    with pytest.raises(InputError, match=r"is no causal language model: the log-probability of"):
        probe(module, VOCABULARY)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize(
    ("architecture", "settings"),
    [
        ("llama", {}),
        ("gpt2", {"n_embd": 32, "n_layer": 2, "n_head": 4}),
        ("mixtral", {"num_local_experts": 4, "num_experts_per_tok": 2}),
        ("bert", {"is_decoder": True}),
    ],
)
def test_rounding_is_no_reason(
    dtype: torch.dtype, architecture: str, settings: dict[str, Any]
) -> None:
    habits = probe(build(architecture, **settings).to(dtype), VOCABULARY)
    assert habits.pads_right
    assert habits.searches == habits.samples == FASTEST


def test_the_message_names_the_model(
    one_node: MakeProgram, plain_folder: Path, tmp_path: Path
) -> None:
    folder = saved(build("bert"), AutoTokenizer.from_pretrained(plain_folder), tmp_path)
    with pytest.raises(InputError, match=rf"model id '{folder}': BertLMHeadModel is no causal"):
        System(one_node(folder), device="cpu")


# ---- ids


def test_a_pad_id_beyond_the_embeddings(
    one_node: MakeProgram, plain_folder: Path, tmp_path: Path
) -> None:
    """It fills rows of a batch in which nothing looks at it: all is as with any other."""
    tokenizer = AutoTokenizer.from_pretrained(plain_folder)
    tokenizer.add_special_tokens({"pad_token": "[PAD]"})
    folder = saved(AutoModelForCausalLM.from_pretrained(plain_folder), tokenizer, tmp_path)
    odd, usual = (
        System(one_node(f, max_new_tokens=6), device="cpu") for f in (folder, plain_folder)
    )
    inputs = [{"question": question} for question in QUESTIONS]
    traces = odd.sample(inputs)
    assert traces == usual.sample(inputs)
    assert torch.equal(odd.log_prob(traces)["answer"], usual.log_prob(traces)["answer"])
    search = Search("ada", "Q", k=4, beams=4, groups=2, diversity_penalty=1.0)
    assert odd.search([search]) == usual.search([search])


def test_a_token_beyond_the_embeddings(
    one_node: MakeProgram, plain_folder: Path, tmp_path: Path
) -> None:
    tokenizer = AutoTokenizer.from_pretrained(plain_folder)
    tokenizer.add_tokens(["<tool>"])
    folder = saved(AutoModelForCausalLM.from_pretrained(plain_folder), tokenizer, tmp_path)
    system = System(one_node(folder, max_new_tokens=2), device="cpu")
    said = rf"token {len(tokenizer) - 1} \('<tool>'\) of the %s for model 'ada' is unknown"
    with pytest.raises(InputError, match=said % "prompt 'a <tool>'"):
        system.sample({"question": "a <tool>"})
    rows = [
        Trace({"question": question}, {"answer": Completion(answer)}, ("answer",))
        for question, answer in (("Q", "b"), ("Q", "<tool>"))
    ]
    with pytest.raises(InputError, match="trace 1: answer: " + said % "completion"):
        system.log_prob(rows)


# ---- logits that are no distribution


@pytest.mark.parametrize("bad", [torch.nan, torch.inf])
def test_damaged_weights_are_refused(
    one_node: MakeProgram, plain_folder: Path, tmp_path: Path, bad: float
) -> None:
    module = AutoModelForCausalLM.from_pretrained(plain_folder)
    with torch.no_grad():
        module.lm_head.weight[7, 3] = bad
    folder = saved(module, AutoTokenizer.from_pretrained(plain_folder), tmp_path)
    with pytest.raises(InputError, match=r"gives logits that are NaN or .* weights are damaged"):
        System(one_node(folder), device="cpu")


@pytest.mark.parametrize("temperature", [0, 1.0])
def test_samples_of_no_distribution(
    one_node: MakeProgram, plain_folder: Path, temperature: float
) -> None:
    """The weights of a training that diverged: the model and the prompt are named."""
    system = System(one_node(plain_folder, max_new_tokens=3, temperature=temperature), device="cpu")
    with torch.no_grad():
        for parameter in system.parameters("ada").values():
            parameter.fill_(torch.nan)
    with pytest.raises(RunError, match=r"'ada': its logits are NaN .* at token 1 .* prompt is 'Q'"):
        system.sample({"question": "Q"})
