"""Peak memory of one training step, by the number of pairs, samples and nodes.

    python benchmarks/step_memory.py [FOLDER [ROW MIB]]

ROW and MIB: one row alone, as `[8, 2, 2]`, with so much memory for the graph of a pass.

Of FOLDER, a causal LM with a tokenizer, or of a random one with a vocabulary of 50,000: a chain of
nodes, each an adapter of its own on that one base, trained from final answers (SysDPO-Sampling).
Each row is a process of its own; the peak is that of the step, above what the process takes before
it. A step's gradients are taken pass by pass, so that the rows should be alike once a step is more
than one pass.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

import sysgraph
from sysgraph import Completion, System, Trace
from sysgraph.engines.checkpoints import engine
from sysgraph.support.progress import Reporter
from sysgraph.traces.pair import Pair
from sysgraph.training.adjoint import Adjoint
from sysgraph.training.objective import Objective
from sysgraph.training.pairs import tabulate
from sysgraph.training.reference_cache import ReferenceCache
from sysgraph.training.workers import Workers

ROWS = [  # (pairs, samples, nodes)
    (8, 2, 2),
    (16, 2, 2),
    (32, 2, 2),
    (8, 4, 2),
    (8, 8, 2),
    (8, 2, 4),
]
TEXT = "a text of some forty tokens, as bytes are"


def main(folder: Path | None) -> None:
    with tempfile.TemporaryDirectory() as made:
        if folder is None:
            folder = Path(made)
            save_random(folder)
        print("pairs  samples  nodes  peak above start (MiB)")
        for row in ROWS:
            command = [sys.executable, __file__, str(folder), json.dumps(row)]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            pairs, samples, nodes = row
            print(f"{pairs:5}  {samples:7}  {nodes:5}  {float(done.stdout):22.0f}", flush=True)


def save_random(folder: Path, *, hidden_size: int = 256, layers: int = 4) -> None:
    letters = ["<end>", *sorted(pre_tokenizers.ByteLevel.alphabet())]
    tokenizer = Tokenizer(models.BPE(vocab={t: i for i, t in enumerate(letters)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token="<end>", pad_token="<end>"
    ).save_pretrained(folder)
    config = LlamaConfig(
        vocab_size=50_000,
        hidden_size=hidden_size,
        intermediate_size=4 * hidden_size,
        num_hidden_layers=layers,
        num_attention_heads=4,
        eos_token_id=0,
        pad_token_id=0,
    )
    torch.manual_seed(0)
    LlamaForCausalLM(config).save_pretrained(folder)


def graph(folder: Path, samples: int, nodes: int) -> sysgraph.Graph:
    names = [f"n{i}" for i in range(nodes)]
    model = {"kind": "causal_lm", "id": str(folder), "max_new_tokens": 40}
    before = dict(zip(names, ["question", *names], strict=False))
    return sysgraph.load(
        json.dumps(
            {
                "sysgraph": 1,
                "name": "chain",
                "models": {f"m_{name}": model for name in names},
                "nodes": {
                    "question": {"kind": "input"},
                    **{
                        name: {"kind": "lm", "model": f"m_{name}", "prompt": f"Q: {{{{ {b} }}}}"}
                        for name, b in before.items()
                    },
                },
                "edges": [f"{b} -> {name}" for name, b in before.items()],
                "outputs": [names[-1]],
                "fit": {"observed": [names[-1]], "sampling": {"k": samples}},
            }
        )
    )


def peak(folder: Path, pairs: int, samples: int, nodes: int) -> float:
    """MiB that a step takes above what the process took before it."""
    program = sysgraph.compile(graph(folder, samples, nodes))
    system = System(program, device="cpu")
    out = program.outputs[0]

    def side(i: int, word: str) -> Trace:
        text: dict[str, Any] = {out: Completion(f"{word} {i} {TEXT}")}
        return Trace({"question": f"{i} {TEXT}"}, text, program.outputs)

    made = Objective(
        system,
        Workers("no"),
        tabulate(system, [Pair(side(i, "yes"), side(i, "no"), str(i)) for i in range(pairs)]),
        seed=0,
        remembered=ReferenceCache(system),
        reporter=Reporter(shown=False),
    )
    visits = range(pairs)
    made.prepare(visits, "")
    made.draw(visits, 0)
    with torch.no_grad():
        made.losses(visits)  # the reference's values are remembered, libraries are warm
    start = resident()
    adjoint = Adjoint(system)
    for asked in made.portions(visits, adjoint.holds):
        losses, _ = asked.losses(adjoint.score(asked.requests))
        losses.sum().backward()
        adjoint.backward()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 - start


def resident() -> float:
    """MiB that the process takes now; its peak so far is forgotten."""
    Path("/proc/self/clear_refs").write_text("5")
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


if __name__ == "__main__":
    torch.set_num_threads(1)
    if len(sys.argv) > 2:
        if len(sys.argv) > 3:
            budget = int(sys.argv[3]) * 2**20
            engine.pass_bytes = lambda device: budget
        print(peak(Path(sys.argv[1]), *json.loads(sys.argv[2])))
    else:
        main(Path(sys.argv[1]) if len(sys.argv) == 2 else None)
