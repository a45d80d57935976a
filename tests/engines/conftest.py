"""Tiny random checkpoints, and programs over them."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import (
    GenerationConfig,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen2ForCausalLM,
)

import sysgraph
from sysgraph import Completion, Program, System, Trace

TEXT = """
Natalia sold 48 clips in April, and half as many in May. How many clips did she sell in total?
She sold 48 / 2 = 24 clips in May, so 48 + 24 = 72 clips. The answer is 72.
A robe takes 2 bolts of blue fiber and half that much white fiber. How many bolts does it take?
It takes 2 / 2 = 1 bolt of white fiber, so 2 + 1 = 3 bolts. The answer is 3.
If each egg costs $2 and she sells 9 of them, she makes 9 * 2 = $18 every day at the market.
""".strip().splitlines()

CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<s>", "</s>"]
SMALL = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "initializer_range": 0.25,  # far from uniform, so that a wrong position shows
}


def _tokenizer(**special: Any) -> PreTrainedTokenizerFast:
    """A byte-level BPE; with `bos_token`, it starts every text with it."""
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=360, initial_alphabet=alphabet, special_tokens=SPECIAL, show_progress=False
    )
    bpe.train_from_iterator(TEXT * 3, trainer)
    if "bos_token" in special:
        bos = special["bos_token"]
        bpe.post_processor = processors.TemplateProcessing(
            single=f"{bos} $A", special_tokens=[(bos, bpe.token_to_id(bos))]
        )
    return PreTrainedTokenizerFast(tokenizer_object=bpe, **special)


@pytest.fixture(scope="session")
def chat_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Qwen2 with tied embeddings, a ChatML template, two end tokens and opinions on sampling.

    Its embeddings know more ids than its tokenizer, as Qwen's do.
    """
    folder = tmp_path_factory.mktemp("checkpoints") / "chat"
    tokenizer = _tokenizer(eos_token="<|im_end|>", pad_token="<|endoftext|>")
    tokenizer.chat_template = CHATML
    torch.manual_seed(1)
    model = Qwen2ForCausalLM(
        Qwen2Config(
            vocab_size=len(tokenizer) + 4,
            max_position_embeddings=1024,
            tie_word_embeddings=True,
            eos_token_id=tokenizer.eos_token_id,
            **SMALL,
        )
    )
    model.generation_config = GenerationConfig(
        do_sample=True,
        repetition_penalty=0.05,  # favours repetition, so that it shows on any prompt
        top_k=1,
        top_p=0.1,
        temperature=0.1,
        min_new_tokens=3,
        eos_token_id=tokenizer.convert_tokens_to_ids(["<|im_end|>", "<|endoftext|>"]),
        pad_token_id=tokenizer.pad_token_id,
    )
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def plain_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Llama with untied embeddings, a beginning-of-sequence token, no pad token, no template."""
    folder = tmp_path_factory.mktemp("checkpoints") / "plain"
    tokenizer = _tokenizer(bos_token="<s>", eos_token="</s>")
    torch.manual_seed(2)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            max_position_embeddings=1024,
            tie_word_embeddings=False,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            **SMALL,
        )
    )
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


MakeProgram = Callable[..., Program]
MakeTrace = Callable[..., Trace]


@pytest.fixture(scope="session")
def one_node() -> MakeProgram:
    """The program of one LM: the node's `prompt` or `messages`, `fit`, and the model's settings."""

    def make(
        folder: Path,
        *,
        prompt: str = "{{ question }}",
        messages: Sequence[dict[str, str]] | None = None,
        fit: dict[str, Any] | None = None,
        **model: Any,
    ) -> Program:
        node = {"messages": list(messages)} if messages else {"prompt": prompt}
        return several_nodes_program(
            {"ada": {"id": str(folder), **model}},
            {"answer": {"model": "ada", **node}},
            fit,
        )

    return make


@pytest.fixture(scope="session")
def several_nodes() -> MakeProgram:
    """The program of LMs that each see `question` alone: models by name, nodes by name."""
    return several_nodes_program


def several_nodes_program(
    models: dict[str, dict[str, Any]],
    nodes: dict[str, dict[str, Any]],
    fit: dict[str, Any] | None = None,
) -> Program:
    lms = {name: {"kind": "lm", **node} for name, node in nodes.items()}
    graph = {
        "sysgraph": 1,
        "name": "test",
        "models": {name: {"kind": "causal_lm", **spec} for name, spec in models.items()},
        "nodes": {"question": {"kind": "input"}, **lms},
        "edges": [f"question -> {name}" for name in nodes],
        "outputs": list(nodes),
        "fit": fit or {},
    }
    return sysgraph.compile(sysgraph.load(json.dumps(graph, indent=1)))


@pytest.fixture(scope="session")
def trace() -> MakeTrace:
    """A trace from a question and its answers by node: texts, or texts with token ids."""

    def make(question: str, **values: str | Completion) -> Trace:
        completions = {
            name: Completion(value) if isinstance(value, str) else value
            for name, value in values.items()
        }
        return Trace({"question": question}, completions, tuple(values))

    return make


@pytest.fixture(scope="session")
def jitter() -> Callable[[System, float], None]:
    """Adds seeded noise to every trained weight, so that the policy is not the reference."""

    def apply(system: System, scale: float) -> None:
        generator = torch.Generator().manual_seed(0)
        with torch.no_grad():
            for model in system.trained():
                for parameter in system.parameters(model).values():
                    noise = torch.randn(parameter.shape, generator=generator)
                    parameter.add_(noise.to(parameter.dtype) * scale)

    return apply
