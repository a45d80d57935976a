"""The steps that TRL's DPOTrainer takes: what `Trainer.train` does between two batches."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from peft import LoraConfig
from torch import Tensor, nn
from transformers import AutoModelForCausalLM, AutoTokenizer
from trl.trainer.dpo_config import DPOConfig
from trl.trainer.dpo_trainer import DPOTrainer

from sysgraph.engines.causal_lm.tokens import Encoded

from .ours import BETA, LEARNING_RATE

RANK, ALPHA = 16, 32


class Trl:
    """A trainer with LoRA on all linear layers; no gradient checkpointing, which is slower.

    Args:
        rows: "prompt", "chosen" and "rejected" each.
        precompute: whether the reference's values are computed before the steps.
        out: an empty folder.
    """

    def __init__(
        self,
        model: Path,
        rows: Sequence[Mapping[str, str]],
        out: Path,
        *,
        precompute: bool = False,
        max_norm: float = 1.0,
        device: str = "cpu",
    ) -> None:
        self._args = DPOConfig(
            str(out),
            report_to="none",
            use_cpu=device == "cpu",
            bf16=False,
            gradient_checkpointing=False,
            max_length=None,
            learning_rate=LEARNING_RATE,
            beta=BETA,
            max_grad_norm=max_norm,
            per_device_train_batch_size=1,
            precompute_ref_log_probs=precompute,
            disable_tqdm=True,
        )
        trainer: Any = DPOTrainer(
            AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32),
            args=self._args,
            train_dataset=Dataset.from_list([dict(row) for row in rows]),
            processing_class=AutoTokenizer.from_pretrained(model),
            peft_config=LoraConfig(r=RANK, lora_alpha=ALPHA, target_modules="all-linear"),
        )
        self.trainer = trainer
        self.trainer.get_train_dataloader()
        self.trainer.current_gradient_accumulation_steps = 1  # which `train` sets
        self.trainer.model.train()
        self._optimizer = self.trainer.create_optimizer()
        self.rows: list[dict[str, Any]] = list(self.trainer.train_dataset)
        """With "prompt_ids", "chosen_ids" and "rejected_ids"."""

    def step(self, indices: Sequence[int]) -> Tensor:
        """Takes a step on these rows; its loss."""
        return self.step_on(self.trainer.data_collator([self.rows[i] for i in indices]))

    def step_on(self, batch: Mapping[str, Tensor]) -> Tensor:
        """Takes a step on what the collator gives; its loss."""
        loss: Tensor = self.trainer.training_step(self.trainer.model, dict(batch))
        nn.utils.clip_grad_norm_(self.trainer.model.parameters(), self._args.max_grad_norm)
        self._optimizer.step()
        self.trainer.model.zero_grad()
        return loss

    def log_probs(self) -> Tensor:
        """Of the last step's pair, [2], nats: as its metrics have them."""
        logged = self.trainer._metrics["train"]
        return torch.tensor([logged[f"logps/{side}"][-1] for side in ("chosen", "rejected")])

    def parameters(self) -> dict[str, nn.Parameter]:
        """What is trained, by the names that sysgraph gives it."""
        return trained(self.trainer.model)


def collated(rows: Sequence[Encoded], device: str) -> dict[str, Tensor]:
    """Token ids of chosen, then rejected, as the collator lays them out; prompts may differ."""
    ids = [row.ids for row in rows]
    width = max(map(len, ids))
    scored = [(0,) * len(row.prompt) + (1,) * len(row.completion) for row in rows]

    def filled(several: Sequence[tuple[int, ...]]) -> Tensor:
        padded = [one + (0,) * (width - len(one)) for one in several]
        return torch.tensor(padded, device=device)

    return {
        "input_ids": filled(ids),
        "attention_mask": filled([(1,) * len(one) for one in ids]),
        "completion_mask": filled(scored),
    }


def trained(module: nn.Module) -> dict[str, nn.Parameter]:
    """What is trained of a peft model, by the names that sysgraph gives it."""
    return {
        name.replace(".default.", "."): parameter
        for name, parameter in module.named_parameters()
        if parameter.requires_grad
    }
