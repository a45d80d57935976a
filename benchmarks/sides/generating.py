"""A system of one layer of proposers and an aggregator, sampled by a plain loop.

One adapter of one base a node. Each node of each input is one `generate`: the proposers' with
`num_return_sequences`, the aggregator's over as many different prompts, padded on the left.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from peft import LoraConfig, get_peft_model
from torch import Tensor
from transformers import AutoModelForCausalLM, AutoTokenizer

from .trls import ALPHA, RANK

PROPOSE = "Question: {question}\nAnswer:"
AGGREGATE = "Question: {question}\nAnswers of others:{drafts}\nThe best answer:"
LAST = "answer"
Ids = list[int]


class Generating:
    """The models of the proposers and of `answer`, the aggregator.

    Args:
        model: the base's folder.
        weights: of each adapter, by the names that sysgraph gives them.
        new: tokens of a text at most.
    """

    def __init__(
        self, model: Path, weights: Mapping[str, Mapping[str, Tensor]], *, new: int, device: str
    ) -> None:
        base: Any = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32)
        base.to(device)
        config = LoraConfig(
            r=RANK, lora_alpha=ALPHA, target_modules="all-linear", task_type="CAUSAL_LM"
        )
        self._proposers = [name for name in weights if name != LAST]
        self._model: Any = get_peft_model(base, config, LAST)
        for name in self._proposers:
            self._model.add_adapter(name, config)
        own = dict(self._model.named_parameters())
        with torch.no_grad():
            for adapter, several in weights.items():
                for name, value in several.items():
                    own[name.replace(".weight", f".{adapter}.weight")].copy_(value)
        self._model.eval()
        self._tokenizer: Any = AutoTokenizer.from_pretrained(model)
        self._new, self._device = new, device

    def sample(self, question: str, count: int) -> int:
        """Samples the whole system for one input; the tokens that were written."""
        prompt = self._tokenizer(PROPOSE.format(question=question))["input_ids"]
        drafted = [self._generate(name, [prompt], count) for name in self._proposers]
        texts = [[self._text(ids) for ids in several] for several in drafted]
        prompts = [
            self._tokenizer(AGGREGATE.format(question=question, drafts="".join(several)))[
                "input_ids"
            ]
            for several in zip(*texts, strict=True)
        ]
        written = [*drafted, self._generate(LAST, prompts, 1)]
        return sum(len(ids) for several in written for ids in several)

    @torch.no_grad()
    def log_prob(self, adapter: str, prompt: str, ids: Sequence[int]) -> Tensor:
        """Log p of a text behind a prompt: [], nats."""
        self._model.set_adapter(adapter)
        before = self._tokenizer(prompt)["input_ids"]
        row = torch.tensor([[*before, *ids]], device=self._device)
        log_probs = F.log_softmax(self._model(input_ids=row, use_cache=False).logits[0], -1)
        return log_probs[len(before) - 1 : -1].gather(1, row[0, len(before) :, None]).sum()

    @torch.no_grad()
    def _generate(self, adapter: str, prompts: Sequence[Ids], several: int) -> list[Ids]:
        """Texts with what ended them, by prompt."""
        self._model.set_adapter(adapter)
        width, end = max(map(len, prompts)), self._tokenizer.eos_token_id
        rows = [[end] * (width - len(one)) + one for one in prompts]
        mask = [[0] * (width - len(one)) + [1] * len(one) for one in prompts]
        out = self._model.generate(
            input_ids=torch.tensor(rows, device=self._device),
            attention_mask=torch.tensor(mask, device=self._device),
            num_return_sequences=several,
            max_new_tokens=self._new,
            do_sample=True,
            temperature=1.0,
            top_k=0,
            top_p=1.0,
            eos_token_id=end,
            pad_token_id=end,
        )
        texts = out[:, width:].tolist()
        return [one[: one.index(end) + 1] if end in one else one for one in texts]

    def _text(self, ids: Ids) -> str:
        return str(self._tokenizer.decode(ids, skip_special_tokens=True))
