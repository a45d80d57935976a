"""Samples drawn in process, beside transformers' continuous batching (`generate_batch`).

    python -m benchmarks.continuous [--model FOLDER] [--quick]

Several samples of each prompt of one frozen model, at temperature 1. Both run a prompt once for all
its samples. What is compared is processor time a token; texts end where they end, so that rows of a
batch become free. Continuous batching's cache is given its size: by itself it takes nine tenths of
a machine's memory, of a CPU's too. Then, whether a prompt's texts are the same without the others.
"""

import argparse
import json
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, ContinuousBatchingConfig, GenerationConfig

import sysgraph
from sysgraph import Completion, System
from sysgraph.engines import Draw

from . import pairs
from .row import Options, ratio
from .timing import own

SAMPLES = 4
_REPETITIONS = 3
_PAGE = 32
Texts = list[tuple[int, ...]]


class Ours:
    """As `collect` draws."""

    def __init__(self, model: Path, new: int) -> None:
        spec = {"kind": "causal_lm", "id": str(model), "train": "frozen", "max_new_tokens": new}
        graph = {
            "name": "one",
            "models": {"m": spec},
            "nodes": {
                "q": {"kind": "input"},
                "a": {"kind": "lm", "model": "m", "prompt": "{{ q }}"},
            },
            "edges": ["q -> a"],
            "outputs": ["a"],
        }
        self.system = System(sysgraph.compile(sysgraph.load(json.dumps(graph))), device="cpu")

    def __call__(self, prompts: Sequence[str]) -> Texts:
        draws = [Draw("m", prompt, seed) for prompt in prompts for seed in range(SAMPLES)]
        values = self.system.draw(draws)
        return [value.ids or () for value in values if isinstance(value, Completion)]


class Continuous:
    """`generate_batch`."""

    def __init__(self, model: Path, new: int, tokenizer: Any, ends: Sequence[int]) -> None:
        self._model = AutoModelForCausalLM.from_pretrained(model, attn_implementation="sdpa").eval()
        self._tokenizer, self._new = tokenizer, new
        self._settings = GenerationConfig(
            do_sample=True,
            temperature=1.0,
            top_k=0,
            max_new_tokens=new,
            num_return_sequences=SAMPLES,
            eos_token_id=list(ends),
            pad_token_id=0,
        )

    def __call__(self, prompts: Sequence[str]) -> Texts:
        rows = [self._tokenizer(prompt)["input_ids"] for prompt in prompts]
        pages = sum((len(row) + self._new) // _PAGE + 2 for row in rows) * SAMPLES
        config = ContinuousBatchingConfig(
            page_size=_PAGE, num_blocks=pages, max_batch_tokens=1024, use_cuda_graph=False, seed=0
        )
        found = self._model.generate_batch(
            rows, generation_config=self._settings, continuous_batching_config=config, warmup=False
        )
        return [tuple(one.generated_tokens) for one in found.values()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", type=Path)
    parser.add_argument("--quick", action="store_true")
    asked = parser.parse_args()
    options = Options(model=asked.model, quick=asked.quick)
    torch.set_num_threads(1)
    count, new = (2, 6) if options.quick else (4, 24)
    ours = Ours(options.language_model, new)
    resident = ours.system._engines["m"]._weights["m"].resident  # type: ignore[attr-defined]
    theirs = Continuous(options.language_model, new, resident.tokenizer, resident.ends)
    for length in (80, 800):
        found = pairs.real(count * 4)
        joined = [" ".join(pair["prompt"] for pair in found[i::count]) for i in range(count)]
        prompts = [f"Question: {text[:length]}\nAnswer:" for text in joined]
        times: dict[str, list[float]] = {"sysgraph": [], "continuous": []}
        for _ in range(_REPETITIONS):
            times["sysgraph"].append(_per_token(ours, prompts))
            times["continuous"].append(_per_token(theirs, prompts))
        tokens = sum(len(resident.tokenizer(prompt)["input_ids"]) for prompt in prompts) / count
        print(
            f"{count} prompts of {tokens:.0f} tokens, {SAMPLES} texts each of up to {new}: "
            f"theirs / ours {ratio(times['continuous'], times['sysgraph']):.2f}"
        )
    for name, side in (("sysgraph", ours), ("continuous", theirs)):
        alone, beside = side(prompts[:1]), side(prompts)
        same = (Counter(alone) & Counter(beside)).total()
        print(f"{name}: {same} of {SAMPLES} texts of a prompt are the same beside others")


def _per_token(side: Callable[[Sequence[str]], Texts], prompts: Sequence[str]) -> float:
    start = own()
    tokens = sum(map(len, side(prompts)))
    return (own() - start) / tokens


if __name__ == "__main__":
    main()
