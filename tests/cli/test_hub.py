"""graphs/hub/two_stage_qwen.yaml as it stands, on checkpoints of its architecture at small width.

Only what a small machine cannot do is overridden: the checkpoint, the batch and the steps. bfloat16
weights and autocast stay.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

from .test_run import Done, here

ROOT = Path(__file__).parents[2]
GRAPH = ROOT / "graphs" / "hub" / "two_stage_qwen.yaml"
CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
WINDOW = 1024
SMALL = {
    "models.psi1.max_new_tokens": 8,
    "models.psi2.max_new_tokens": 8,
    "fit.batch_size": 2,
    "fit.gradient_accumulation_steps": 2,
    "fit.steps": 2,
    "fit.log_every": 1,
    # Of random weights, so that they move in two steps.
    "fit.learning_rate": 1e-2,
}
Fit = Callable[..., Done]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Qwen2 of random weights with a chat template, in bfloat16 as Qwen1.5's are."""
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=400, initial_alphabet=alphabet, special_tokens=special, show_progress=False
    )
    bpe.train_from_iterator([GRAPH.read_text(encoding="utf-8")], trainer)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=bpe, eos_token="<|im_end|>", pad_token="<|endoftext|>"
    )
    tokenizer.chat_template = CHATML
    torch.manual_seed(0)
    config = Qwen2Config(
        vocab_size=len(tokenizer),
        hidden_size=16,
        intermediate_size=24,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        max_position_embeddings=WINDOW,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    folder = tmp_path_factory.mktemp("checkpoints") / "qwen"
    Qwen2ForCausalLM(config).to(torch.bfloat16).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture
def fit(
    checkpoint: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Fit:
    """`sysgraph fit` on rows, in an empty folder, into `run`."""
    monkeypatch.chdir(tmp_path)

    def call(rows: list[dict[str, Any]], **changes: Any) -> Done:
        text = "".join(json.dumps(row) + "\n" for row in rows)
        Path("rows.jsonl").write_text(text, encoding="utf-8")
        ids = {"models.psi1.id": checkpoint, "models.psi2.id": checkpoint}
        settings = [f"{name}={value}" for name, value in {**ids, **SMALL, **changes}.items()]
        options = [part for setting in settings for part in ("--set", setting)]
        command = ["fit", str(GRAPH), "--data", "rows.jsonl", "-o", "run", *options]
        return here(command, monkeypatch, capsys)

    return call


def check_trained(done: Done) -> None:
    assert (done.code, done.out) == (
        0,
        "trained models: run/models\nwhat they learned: run/report.html\n",
    )
    for model in ("psi1", "psi2"):
        adapter = load_file(Path("run/models") / model / "adapter_model.safetensors")
        moved = [name for name, weight in adapter.items() if "lora_B" in name and weight.any()]
        assert moved, model
    metrics_file = Path("run/metrics.jsonl")
    metrics = [json.loads(line) for line in metrics_file.read_text().splitlines()]
    losses = [line["loss"] for line in metrics if "loss" in line]
    assert len(losses) == SMALL["fit.steps"]
    assert all(0 < loss < 10 for loss in losses)


def orca(number: int, **fields: Any) -> dict[str, Any]:
    """A row as Intel/orca_dpo_pairs has them."""
    return {
        "system": "You are an AI assistant. You will be given a task.",
        "question": f"How much is {number} + {number}?",
        "chosen": f"It is {2 * number}.",
        "rejected": f"I would say {2 * number + 1}, or {number}.",
        **fields,
    }


def test_real_answers(fit: Fit) -> None:
    file = ROOT.parent / "shared" / "data" / "gsm8k_pairs.jsonl"
    if not file.is_file():
        pytest.skip("no ../shared/data here")
    check_trained(fit([json.loads(line) for line in file.open(encoding="utf-8")][:4]))


def test_rows_of_the_published_set(fit: Fit) -> None:
    check_trained(fit([orca(number) for number in range(4)]))


@pytest.mark.parametrize("field", ["question", "rejected"])
def test_what_does_not_fit_the_window(field: str, fit: Fit) -> None:
    """Known when drafts are drawn: the row is named, and the window."""
    done = fit([orca(1), orca(2, **{field: "why " * WINDOW}), orca(3)])
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("error: rows.jsonl:2: ")
    assert f"window of {WINDOW}" in done.err
