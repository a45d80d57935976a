"""How near the numbers of sysgraph and of plain transformers are to those of float64."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, get_peft_model
from torch import Tensor
from transformers import AutoModelForCausalLM

import sysgraph
from sysgraph import System
from sysgraph.engines.causal_lm.tokens import Encoded
from sysgraph.engines.requests import requests

from .dpo_step import SPREAD, one_lm
from .flops import encoded
from .pairs import Pair
from .row import Options
from .sides.equality import Gradients, copy
from .sides.trls import ALPHA, RANK, trained

_ROUNDING = 1e-5
"""Of the largest number: what is left where plain transformers happens to be exact."""


@dataclass(frozen=True)
class Nearness:
    """The largest error of log-probabilities and of gradients, as a part of the largest number.

    Args:
        ours: of each of the two.
        plain: the same of transformers and peft, row by row, log-softmax in float32.
    """

    ours: tuple[float, float]
    plain: tuple[float, float]

    @property
    def near(self) -> bool:
        """Whether ours are no more than twice as far as the plain ones."""
        pairs = zip(self.ours, self.plain, strict=True)
        return all(mine <= 2 * theirs + _ROUNDING for mine, theirs in pairs)

    def __str__(self) -> str:
        (value, slope), (plain_value, plain_slope) = self.ours, self.plain
        return (
            f"log p off by {value:.1e} (plain code {plain_value:.1e}), "
            f"gradients by {slope:.1e} ({plain_slope:.1e}): {'near' if self.near else 'TOO FAR'}"
        )


def nearness(model: Path, rows: Sequence[Pair], dtype: torch.dtype, device: str) -> Nearness:
    """Of both sides of each pair, with an adapter that has left the reference.

    Args:
        dtype: of the base; adapters are float32.
    """
    system, given = _system(model, rows, dtype, device)
    values = system.score(given)
    values.sum().backward()
    weights = system.parameters("lm")
    ours = values.detach(), {n: p.grad for n, p in weights.items() if p.grad is not None}
    tokens = [one for row in rows for one in encoded(Options(model=model), row)]
    module = _module(model, dtype, device)
    copy(weights, trained(module))
    plain = _plain(module, tokens, torch.float32)
    exact = _plain(module.double(), tokens, torch.float64)
    return Nearness(_far(ours, exact), _far(plain, exact))


def _system(
    model: Path, rows: Sequence[Pair], dtype: torch.dtype, device: str
) -> tuple[System, list[Any]]:
    """The system, and a request for each side of each row."""
    graph: dict[str, Any] = one_lm(model)
    graph["models"]["lm"]["dtype"] = str(dtype).removeprefix("torch.")
    program = sysgraph.compile(sysgraph.load(json.dumps(graph, indent=1)))
    system = System(program, device=device)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in system.parameters("lm").values():
            noise = torch.randn(parameter.shape, generator=generator)
            parameter.add_(noise.to(parameter), alpha=SPREAD)
    pairs = sysgraph.load_pairs(program, [dict(row) for row in rows])
    sides = [side for pair in pairs for side in (pair.chosen, pair.rejected)]
    return system, [request for side in sides for _, request in requests(program, side)]


def _module(model: Path, dtype: torch.dtype, device: str) -> Any:
    base = AutoModelForCausalLM.from_pretrained(model, dtype=dtype)
    lora = LoraConfig(r=RANK, lora_alpha=ALPHA, target_modules="all-linear", task_type="CAUSAL_LM")
    return get_peft_model(base, lora).to(device).eval()


def _plain(module: Any, rows: Sequence[Encoded], sums: torch.dtype) -> tuple[Tensor, Gradients]:
    """Log p of each row, [N], and the gradients of their sum."""
    module.zero_grad()
    found = []
    for row in rows:
        ids = torch.tensor([row.ids], device=module.device)
        logits = module(input_ids=ids, use_cache=False).logits[0, len(row.prompt) - 1 : -1]
        log_probs = logits.to(sums).log_softmax(-1)
        found.append(log_probs.gather(1, ids[0, len(row.prompt) :, None]).sum())
        found[-1].backward()
    gradients = {n: p.grad.clone() for n, p in trained(module).items() if p.grad is not None}
    return torch.stack(found).detach(), gradients


def _far(found: tuple[Tensor, Gradients], exact: tuple[Tensor, Gradients]) -> tuple[float, float]:
    size = max(float(slope.abs().max()) for slope in exact[1].values())
    off = max(float((found[1][n] - slope).abs().max()) for n, slope in exact[1].items())
    return float((found[0] - exact[0]).abs().max() / exact[0].abs().max()), off / size
