"""Batched ancestral sampling on `generate`, with random numbers that no batch size changes."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from transformers import (
    GenerationConfig,
    LogitsProcessor,
    LogitsProcessorList,
    TemperatureLogitsWarper,
    TopPLogitsWarper,
)

from sysgraph_schemas import CausalLM

from ..checkpoints.batching import padded
from ..seeding import uniforms


class InverseCDF(LogitsProcessor):
    """Leaves only the token that row i's own uniform number picks: greedy `generate` then samples.

    `generate`'s sampling draws from one global generator: its result for a row depends on the rows
    beside it. Here u[i, t] is all the randomness of row i at step t.
    """

    def __init__(self, u: Tensor, prompt_width: int) -> None:
        self._u = u  # (B, max_new_tokens)
        self._prompt_width = prompt_width

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """Log-probabilities 0 for the picked token, -inf for all others: [B, V]."""
        cdf = scores.float().softmax(-1).cumsum(-1)  # (B, V)
        point = self._u[:, input_ids.shape[1] - self._prompt_width, None] * cdf[:, -1:]
        last = torch.searchsorted(
            cdf, cdf[:, -1:].contiguous()
        )  # the last token with any probability
        token = torch.searchsorted(cdf, point, right=True).minimum(last)
        return torch.full_like(scores, -torch.inf).scatter(1, token, 0.0)


@torch.no_grad()
def generate(
    module: nn.Module,
    prompts: Sequence[tuple[int, ...]],
    seeds: Sequence[int],
    *,
    spec: CausalLM,
    pad: int,
    ends: Sequence[int],
) -> list[tuple[int, ...]]:
    """Completion ids of each prompt, ended by one of `ends` unless the length limit cut them."""
    tokens, mask = padded(prompts, pad, next(module.parameters()).device, left=True)
    u = uniforms(seeds, spec.max_new_tokens).to(tokens.device)
    width = tokens.shape[1]
    out = module.generate(  # type: ignore[operator]
        input_ids=tokens,
        attention_mask=mask,
        logits_processor=_processors(spec, u, width),
        generation_config=GenerationConfig(
            max_new_tokens=spec.max_new_tokens,
            do_sample=False,
            pad_token_id=pad,
            eos_token_id=list(ends),
        ),
    )
    return [_ended(row, ends) for row in out[:, width:].tolist()]


def _processors(spec: CausalLM, u: Tensor, width: int) -> LogitsProcessorList:
    if spec.temperature == 0:
        return LogitsProcessorList()
    processors = LogitsProcessorList()
    if spec.temperature != 1:
        processors.append(TemperatureLogitsWarper(spec.temperature))
    if spec.top_p < 1:
        processors.append(TopPLogitsWarper(spec.top_p))
    processors.append(InverseCDF(u, width))
    return processors


def _ended(row: list[int], ends: Sequence[int]) -> tuple[int, ...]:
    """`row` up to its first end-of-sequence id, which is kept: what follows is padding."""
    stop = next((i + 1 for i, token in enumerate(row) if token in ends), len(row))
    return tuple(row[:stop])
