"""One training step on a one-node graph, sysgraph beside TRL's DPOTrainer: same rows, same batches.

    python benchmarks/dpo_step_vs_trl.py [--steps 5] [--pairs 4] [--train lora|full]

A random Qwen2 of 4 layers and 256 dimensions; rows of ../shared/data/gsm8k_pairs.jsonl, or made-up
text where that folder is absent. All sides take every step on the same batch in turn, so that a
busy machine slows them alike. TRL is measured as it comes (the reference runs in every step) and
with `precompute_ref_log_probs=True`, which is what sysgraph always does.
"""

import argparse
import json
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from datasets import Dataset
from peft import LoraConfig
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen2ForCausalLM,
)
from trl import DPOConfig, DPOTrainer

import sysgraph
from sysgraph.training.direct import pair_losses
from sysgraph.training.optimization import Optimization
from sysgraph.training.pairs import tabulate
from sysgraph.training.workers import Workers

GSM8K = Path(__file__).parents[2] / "shared" / "data" / "gsm8k_pairs.jsonl"
LEARNING_RATE = 1e-4


def read_rows(count: int) -> list[dict[str, str]]:
    rng = random.Random(0)
    if GSM8K.exists():
        rows = [json.loads(line) for line in GSM8K.read_text("utf-8").splitlines()]
        return rng.sample(rows, count)
    words = ["she", "sold", "half", "of", "48", "clips", "in", "April", "and", "24", "by", "May"]

    def text(length: int) -> str:
        return " ".join(rng.choice(words) for _ in range(length))

    return [
        {"prompt": text(60), "chosen": " " + text(90), "rejected": " " + text(90)}
        for _ in range(count)
    ]


def make_checkpoint(folder: Path, rows: list[dict[str, str]], vocabulary: int) -> None:
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=4096,
        initial_alphabet=alphabet,
        special_tokens=["<|endoftext|>", "<|pad|>"],
        show_progress=False,
    )
    bpe.train_from_iterator([text for row in rows for text in row.values()], trainer)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=bpe, eos_token="<|endoftext|>", pad_token="<|pad|>"
    )
    config = Qwen2Config(
        vocab_size=vocabulary,
        hidden_size=256,
        intermediate_size=1024,
        num_hidden_layers=4,
        num_attention_heads=8,
        num_key_value_heads=4,
        max_position_embeddings=2048,
        tie_word_embeddings=True,
    )
    torch.manual_seed(0)
    Qwen2ForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def ours(
    folder: Path, rows: list[dict[str, str]], batch: int, train: str
) -> Callable[[int], float]:
    """The step on batch number i; its loss."""
    graph = {
        "sysgraph": 1,
        "name": "benchmark",
        "models": {"ada": {"kind": "causal_lm", "id": str(folder), "train": train}},
        "nodes": {
            "question": {"kind": "input"},
            "answer": {"kind": "lm", "model": "ada", "prompt": "{{ question }}"},
        },
        "edges": ["question -> answer"],
        "outputs": ["answer"],
        "fit": {"learning_rate": LEARNING_RATE, "lr_scheduler": "constant", "batch_size": batch},
    }
    program = sysgraph.compile(sysgraph.load(json.dumps(graph, indent=1)))
    system = sysgraph.System(program, device="cpu")
    file = folder / "rows.jsonl"
    file.write_text("\n".join(map(json.dumps, rows)), "utf-8")
    table = tabulate(system, sysgraph.load_pairs(program, file))
    with torch.no_grad():
        values = system.score(table.requests, reference=True)
    reference = torch.cat([values, values.new_zeros(1)])
    workers = Workers("no")
    optimization = Optimization(program, {"ada": system.parameters("ada")}, workers)

    def step(number: int) -> float:
        indices = range(number * batch, (number + 1) * batch)
        losses, _ = pair_losses(system, table, indices, reference, program.fit)
        loss = losses.sum() / batch
        workers.accelerator.backward(loss)
        optimization.step(loss.detach())
        return loss.item()

    return step


def trls(
    folder: Path, rows: list[dict[str, str]], batch: int, train: str, *, precompute: bool
) -> Callable[[int], float]:
    """The same with TRL: what `Trainer.train` does between two batches."""
    lora = LoraConfig(r=16, lora_alpha=32, target_modules="all-linear")
    args = DPOConfig(
        str(folder / "trl"),
        report_to="none",
        use_cpu=True,
        bf16=False,
        gradient_checkpointing=False,
        max_length=None,
        learning_rate=LEARNING_RATE,
        per_device_train_batch_size=batch,
        precompute_ref_log_probs=precompute,
        disable_tqdm=True,
    )
    trainer = DPOTrainer(
        AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32),
        args=args,
        train_dataset=Dataset.from_list(rows),
        processing_class=AutoTokenizer.from_pretrained(folder),
        peft_config=lora if train == "lora" else None,
    )
    trainer.get_train_dataloader()  # computes the reference, if asked to
    trainer.current_gradient_accumulation_steps = 1  # which `train` sets
    optimizer = trainer.create_optimizer()
    data = list(trainer.train_dataset)

    def step(number: int) -> float:
        inputs = trainer.data_collator(data[number * batch : (number + 1) * batch])
        loss = trainer.training_step(trainer.model, inputs)
        torch.nn.utils.clip_grad_norm_(trainer.model.parameters(), args.max_grad_norm)
        optimizer.step()
        trainer.model.zero_grad()
        return loss.item()

    return step


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--pairs", type=int, default=4, help="per step")
    parser.add_argument("--train", choices=["lora", "full"], default="lora")
    parser.add_argument("--vocabulary", type=int, default=8192, help="rows of the embedding")
    options = parser.parse_args()
    rows = read_rows((options.steps + 1) * options.pairs)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_checkpoint(folder, rows, options.vocabulary)
        common = (folder, rows, options.pairs, options.train)
        sides = {
            "sysgraph": ours(*common),
            "TRL": trls(*common, precompute=False),
            "TRL, reference precomputed": trls(*common, precompute=True),
        }
        seconds: dict[str, list[float]] = {side: [] for side in sides}
        for number in range(options.steps + 1):
            losses = {}
            for side, step in sides.items():
                start = time.perf_counter()
                losses[side] = step(number)
                if number:  # the first step warms up
                    seconds[side].append(time.perf_counter() - start)
            print(number, {side: round(loss, 4) for side, loss in losses.items()}, flush=True)
    median = {side: statistics.median(times) for side, times in seconds.items()}
    for side, value in median.items():
        print(
            f"{side}: {value:.3f} s a step, {value / median['sysgraph']:.2f} x the time of sysgraph"
        )


if __name__ == "__main__":
    main()
