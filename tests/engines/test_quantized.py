"""Bases in 4 bits against QLoRA's definition of them, and peft on transformers' own."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from torch import Tensor, nn
from transformers import (
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    BitsAndBytesConfig,
    DistilBertConfig,
    DistilBertForSequenceClassification,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
)
from transformers.pytorch_utils import Conv1D

import sysgraph
from sysgraph import Completion, InputError, Program, System
from sysgraph.engines import Draw, Request

from .rows import ROWS, expected, gradients, requests, scores

MakeProgram = Callable[..., Program]
Jitter = Callable[[System, float], None]
IN_4BIT = {"load_in": "4bit", "dtype": "float32"}

# NormalFloat4, Dettmers et al. 2023, appendix E.
NF4 = torch.tensor(
    [
        *(-1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453),
        *(-0.28444138169288635, -0.18477343022823334, -0.09105003625154495, 0.0),
        *(0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224),
        *(0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0),
    ]
)


def rounded(weight: Tensor) -> Tensor:
    """Blocks of 64 numbers in a row: each the nearest of NF4's, times the block's largest."""
    blocks = weight.flatten().split(64)
    parts = []
    for block in blocks:
        largest = block.abs().max()
        nearest = (block[:, None] / largest - NF4).abs().argmin(1)
        parts.append(NF4[nearest] * largest)
    return torch.cat(parts).view_as(weight)


@torch.no_grad()
def round_layers(module: PreTrainedModel, *, but: str) -> PreTrainedModel:
    """`module` with the weights of its linear layers rounded, but those of such names.

    Rows that are no whole blocks stay as well: bitsandbytes would give other weights for them.
    """
    for name, layer in module.named_modules():
        if isinstance(layer, nn.Linear | Conv1D) and but not in name:
            turned = isinstance(layer, Conv1D)  # (in, out), and a block is of one output's weights
            weight = layer.weight.T.contiguous() if turned else layer.weight
            if weight.shape[1] % 64 == 0:
                layer.weight.copy_(rounded(weight).T if turned else rounded(weight))
    return module


def by_transformers(folder: Path, kept: list[str]) -> PreTrainedModel:
    """A checkpoint quantized as transformers itself does it, but for layers whose names end so."""
    settings = BitsAndBytesConfig(
        load_in_4bit=True, bnb_4bit_quant_type="nf4", llm_int8_skip_modules=kept
    )
    module: PreTrainedModel = AutoModelForCausalLM.from_pretrained(
        folder, quantization_config=settings, device_map={"": "cpu"}
    )
    return module


@pytest.fixture(scope="module")
def llama_folder(plain_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of which `down_proj` has rows that are no whole blocks."""
    folder = tmp_path_factory.mktemp("checkpoints") / "llama"
    tokenizer = AutoTokenizer.from_pretrained(plain_folder)
    tokenizer.save_pretrained(folder)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=96,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        tie_word_embeddings=False,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        initializer_range=0.2,
    )
    torch.manual_seed(4)
    LlamaForCausalLM(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def gpt2_folder(chat_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Whose layers hold their weights the other way round; its output layer is its embeddings."""
    folder = tmp_path_factory.mktemp("checkpoints") / "gpt2"
    tokenizer = AutoTokenizer.from_pretrained(chat_folder)
    tokenizer.save_pretrained(folder)
    end = tokenizer.eos_token_id
    config = GPT2Config(
        vocab_size=len(tokenizer),
        n_embd=64,
        n_layer=2,
        n_head=4,
        initializer_range=0.2,
        bos_token_id=end,
        eos_token_id=end,
    )
    torch.manual_seed(4)
    GPT2LMHeadModel(config).save_pretrained(folder)
    return folder


def test_log_p_and_texts_are_those_of_the_rounded_weights(
    one_node: MakeProgram, llama_folder: Path, gpt2_folder: Path
) -> None:
    """Twice, as a first pass must not change what later ones run on."""
    for folder in (llama_folder, gpt2_folder):
        program = one_node(folder, train="frozen", max_new_tokens=20, temperature=0, **IN_4BIT)
        system = System(program, device="cpu")
        module = AutoModelForCausalLM.from_pretrained(folder)
        exact = expected(folder, module)
        wanted = expected(folder, round_layers(module, but="lm_head"))
        assert (wanted - exact).abs().min() > 0.1
        for _ in range(2):
            torch.testing.assert_close(scores(system, "ada"), wanted, atol=1e-4, rtol=0)
    (text,) = system.draw([Draw("ada", ROWS[0][0], 0)])
    prompt = torch.tensor([AutoTokenizer.from_pretrained(folder).encode(ROWS[0][0])])
    written = module.generate(
        prompt, attention_mask=torch.ones_like(prompt), max_new_tokens=20, do_sample=False
    )
    assert list(text.ids) == written[0, prompt.shape[1] :].tolist()


def test_gradients_are_those_of_peft_on_transformers_own(
    one_node: MakeProgram, llama_folder: Path, jitter: Jitter, tmp_path: Path
) -> None:
    """After a pass without gradients; and the reference is the base without the adapter."""
    program = one_node(llama_folder, lora={"r": 4}, **IN_4BIT)
    system = System(program, device="cpu")
    before = scores(system, "ada")
    jitter(system, 0.1)
    system.save(tmp_path)
    torch.testing.assert_close(scores(system, "ada", reference=True), before)
    system.score(requests("ada")).sum().backward()

    base = by_transformers(llama_folder, ["lm_head", "down_proj"])
    model = PeftModel.from_pretrained(base, str(tmp_path / "ada"), is_trainable=True).train()
    tokenizer = AutoTokenizer.from_pretrained(llama_folder)
    for prompt, text in ROWS:
        ids = torch.tensor([tokenizer.encode(prompt + text + tokenizer.eos_token)])
        start = len(tokenizer.encode(prompt))
        log_probs = model(ids).logits[0].log_softmax(-1)
        log_probs[start - 1 : -1].gather(1, ids[0, start:, None]).sum().backward()
    theirs = {n.replace(".default", ""): p.grad for n, p in model.named_parameters()}
    ours = gradients(system, "ada")
    assert len(ours) == 2 * 2 * 7
    for name, gradient in ours.items():
        assert gradient is not None
        assert gradient.abs().max() > 0
        torch.testing.assert_close(gradient, theirs[name], atol=1e-4, rtol=1e-4, msg=name)


def test_an_adapter_is_merged_into_what_the_weights_stand_for(
    one_node: MakeProgram, gpt2_folder: Path, jitter: Jitter, tmp_path: Path
) -> None:
    program = one_node(gpt2_folder, **IN_4BIT)
    system = System(program, device="cpu")
    jitter(system, 0.1)
    engine = system._engines["ada"]
    changes = engine.export("ada", tmp_path / "adapter", tmp_path / "whole", merge=True)
    assert changes == {"id": tmp_path / "whole"}
    merged = AutoModelForCausalLM.from_pretrained(tmp_path / "whole")
    torch.testing.assert_close(
        expected(gpt2_folder, merged), scores(system, "ada"), atol=1e-4, rtol=0
    )


def test_a_classifier_keeps_its_head(chat_folder: Path, tmp_path: Path) -> None:
    """All of it, which is trained whole beside the adapter."""
    tokenizer = AutoTokenizer.from_pretrained(chat_folder)
    tokenizer.save_pretrained(tmp_path)
    config = DistilBertConfig(
        vocab_size=len(tokenizer),
        dim=64,
        hidden_dim=96,
        n_layers=2,
        n_heads=4,
        id2label={0: "math", 1: "code"},
        label2id={"math": 0, "code": 1},
        initializer_range=0.2,
    )
    torch.manual_seed(5)
    DistilBertForSequenceClassification(config).save_pretrained(tmp_path)
    graph = {
        "name": "test",
        "models": {"ada": {"kind": "classifier", "id": str(tmp_path), **IN_4BIT}},
        "nodes": {
            "question": {"kind": "input"},
            "route": {
                "kind": "choice",
                "model": "ada",
                "prompt": "{{ question }}",
                "options": ["math", "code"],
            },
        },
        "edges": ["question -> route"],
        "outputs": ["route"],
    }
    system = System(sysgraph.compile(sysgraph.load(json.dumps(graph))), device="cpu")
    found = system.score(
        [Request("ada", ROWS[0][0], Completion(option)) for option in ("math", "code")]
    )
    module = AutoModelForSequenceClassification.from_pretrained(tmp_path)
    ids = torch.tensor([tokenizer.encode(ROWS[0][0])])
    exact = module(ids).logits[0].log_softmax(-1)
    wanted = round_layers(module, but="classifier")(ids).logits[0].log_softmax(-1)
    assert (wanted - exact).abs().max() > 1e-3
    torch.testing.assert_close(found, wanted, atol=1e-5, rtol=0)
    found[0].backward()
    heads = {n: g for n, g in gradients(system, "ada").items() if "classifier" in n}
    assert len(heads) == 4
    assert all(g is not None and g.abs().max() > 0 for g in heads.values())


def test_what_a_base_is_known_by(one_node: MakeProgram, llama_folder: Path, tmp_path: Path) -> None:
    """Its scales too: rounded, weights and their doubles are the same bits. And its size."""
    doubled = AutoModelForCausalLM.from_pretrained(llama_folder)
    layers = [m for m in doubled.model.modules() if isinstance(m, nn.Linear)]
    for layer in layers:
        layer.weight.data *= 2
    doubled.save_pretrained(tmp_path)
    AutoTokenizer.from_pretrained(llama_folder).save_pretrained(tmp_path)
    systems = [
        System(one_node(folder, train="frozen", **settings), device="cpu")
        for folder in (llama_folder, tmp_path)
        for settings in (IN_4BIT, {})
    ]
    digests = {system._engines["ada"].digest("ada") for system in systems}
    assert len(digests) == 4
    (base,) = systems[0].bases()
    (plain,) = systems[1].bases()
    assert base.parameters == plain.parameters
    whole = [layer for layer in layers if layer.in_features % 64 == 0]
    numbers = sum(layer.weight.numel() for layer in whole)
    saved = numbers * (4 - 1 / 2 - 4 / 64)  # bytes of a number, and 64 share a scale
    told = plain.size - saved
    assert told < base.size < told + 300 * len(whole)  # which describe themselves
    assert base.dtype == "4bit"


def test_a_checkpoint_that_is_quantized_already(
    one_node: MakeProgram, llama_folder: Path, tmp_path: Path
) -> None:
    tokenizer = AutoTokenizer.from_pretrained(llama_folder)
    folders = [tmp_path / "right", tmp_path / "wrong"]
    for folder, kept in zip(folders, (["lm_head", "down_proj"], ["lm_head"]), strict=True):
        by_transformers(llama_folder, kept).save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    systems = [
        System(one_node(folder, train="frozen", **more), device="cpu")
        for folder, more in ((folders[0], {}), (llama_folder, IN_4BIT))
    ]
    torch.testing.assert_close(scores(systems[0], "ada"), scores(systems[1], "ada"))
    said = r"quantized already \(bitsandbytes\): leave out `load_in`"
    with pytest.raises(InputError, match=said):
        System(one_node(folders[0], **IN_4BIT), device="cpu")
    with pytest.raises(InputError, match=r"down_proj has rows of 96 weights .* wrongly on a CPU"):
        System(one_node(folders[1]), device="cpu")


def test_without_the_package(
    one_node: MakeProgram, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Told before the folder is looked at."""
    missing: Any = None
    monkeypatch.setitem(sys.modules, "bitsandbytes", missing)
    said = r"model 'ada': `load_in` needs bitsandbytes: pip install 'sysgraph\[quantized\]'"
    with pytest.raises(InputError, match=said):
        System(one_node(tmp_path / "absent", **IN_4BIT), device="cpu")
