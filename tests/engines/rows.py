"""Two rows of a prompt and its answer: what a system gives them, and what they should get."""

from pathlib import Path

import torch
from torch import Tensor, nn
from transformers import AutoTokenizer

from sysgraph import Completion, System
from sysgraph.engines import Request

ROWS = [("How many clips?", " 72 clips."), ("Q", " It takes 3 bolts.")]


def requests(model: str) -> list[Request]:
    return [Request(model, prompt, Completion(text)) for prompt, text in ROWS]


def scores(system: System, model: str, *, reference: bool = False) -> Tensor:
    return system.score(requests(model), reference=reference).detach()


def gradients(system: System, model: str) -> dict[str, Tensor | None]:
    return {name: parameter.grad for name, parameter in system.parameters(model).items()}


def expected(folder: Path, module: nn.Module) -> Tensor:
    """Log p of ROWS under a module of transformers or peft."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    out = []
    for prompt, text in ROWS:
        ids = tokenizer.encode(prompt + text + tokenizer.eos_token)
        start = len(tokenizer.encode(prompt))
        with torch.no_grad():
            log_probs = module.eval()(torch.tensor([ids])).logits[0].log_softmax(-1)
        out.append(sum(log_probs[t - 1, ids[t]] for t in range(start, len(ids))))
    return torch.stack(out)
