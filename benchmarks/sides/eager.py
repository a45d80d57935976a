"""What a good researcher writes: transformers, peft and twenty lines.

Chosen and rejected are one padded batch, the head runs from the first completion token on, and the
reference is the same batch with the adapter off, without gradients, in every step.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from peft import LoraConfig, get_peft_model
from torch import Tensor, nn
from transformers import AutoModelForCausalLM

from .ours import BETA, LEARNING_RATE
from .trls import ALPHA, RANK, trained


class Eager:
    """One adapter on one model.

    Args:
        rows: token ids: "prompt_ids", "chosen_ids" and "rejected_ids" each.
    """

    def __init__(
        self, model: Path, rows: Sequence[Mapping[str, list[int]]], *, device: str = "cpu"
    ) -> None:
        base = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32)
        config = LoraConfig(
            r=RANK, lora_alpha=ALPHA, target_modules="all-linear", task_type="CAUSAL_LM"
        )
        self._model = get_peft_model(base, config).to(device)
        self._rows, self._device = rows, device
        self._optimizer = torch.optim.AdamW(self.parameters().values(), LEARNING_RATE)
        self.last = torch.zeros(0)
        """Log p of the last step's pair, [2], nats."""

    def step(self, index: int) -> Tensor:
        """Takes a step on a row; its loss."""
        policy = self._log_probs(index)
        with torch.no_grad(), self._model.disable_adapter():
            reference = self._log_probs(index)
        chosen, rejected = policy - reference
        loss = -F.logsigmoid(BETA * (chosen - rejected))
        loss.backward()
        nn.utils.clip_grad_norm_(self.parameters().values(), 1.0)
        self._optimizer.step()
        self._optimizer.zero_grad()
        self.last = policy.detach()
        return loss.detach()

    def _log_probs(self, index: int) -> Tensor:
        """Of both completions: [2], nats."""
        row = self._rows[index]
        prompt = row["prompt_ids"]
        completions = [row["chosen_ids"], row["rejected_ids"]]
        width = max(map(len, completions))
        padding = [[0] * (width - len(one)) for one in completions]
        filled = zip(completions, padding, strict=True)
        ids = torch.tensor([prompt + one + pad for one, pad in filled], device=self._device)
        mask = torch.ones_like(ids)
        for one, several in zip(mask, padding, strict=True):
            one[len(one) - len(several) :] = 0
        logits = self._model(
            input_ids=ids, attention_mask=mask, logits_to_keep=width + 1, use_cache=False
        ).logits
        log_probs = F.log_softmax(logits[:, :-1], -1)
        picked = log_probs.gather(-1, ids[:, len(prompt) :, None])[..., 0]
        return (picked * mask[:, len(prompt) :]).sum(-1)

    def parameters(self) -> dict[str, nn.Parameter]:
        """What is trained, by the names that sysgraph gives it."""
        return trained(self._model)
