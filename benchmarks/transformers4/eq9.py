"""SysDPO-Sampling (arXiv 2502.17721, appendix B, eq. 9) as one writes it in plain code.

    L = -log sigmoid( beta * [ log p/p_ref (z_w | x)  -  log p/p_ref (z_l | x) ] )
    p(z | x) = sum_a p(y_a | x) p(z | x, y_a),  y_a from diverse beam search under the policy

Two adapters on one base, a drafter's and an answerer's. One forward pass a pair and adapter over
padded rows, the head from the first completion token on; the reference is the same passes with the
adapters off, without gradients, in every step.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from peft import LoraConfig, get_peft_model
from tokenizers import Tokenizer
from torch import Tensor, nn

from .group_beams import Settings, group_beams

Row = Mapping[str, str]


class Eq9:
    """The drafter and the answerer of one base.

    Args:
        model: the base.
        folder: where its tokenizer is.
        prompts: of "draft" and "answer", with {question} and {draft}.
        settings: of the search for drafts.
        end: the token that ends a text.
    """

    def __init__(
        self,
        model: Any,
        folder: Path,
        *,
        prompts: Mapping[str, str],
        settings: Settings,
        end: str,
        beta: float,
        learning_rate: float,
        lora: Mapping[str, Any],
    ) -> None:
        config = LoraConfig(task_type="CAUSAL_LM", **lora)
        self._model: Any = get_peft_model(model, config, "draft")
        self._model.add_adapter("answer", config)
        self._tokenizer: Any = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._prompts, self._settings, self._end, self._beta = prompts, settings, end, beta
        for parameter in self._parameters():
            parameter.requires_grad_()  # peft lets only the active adapter's have gradients
        self._optimizer = torch.optim.AdamW(self._parameters(), learning_rate)

    def put(self, weights: Mapping[str, Mapping[str, Tensor]]) -> None:
        """Gives the adapters these weights, by adapter and name."""
        own = dict(self._model.named_parameters())
        with torch.no_grad():
            for adapter, several in weights.items():
                for name, value in several.items():
                    own[_peft_name(name, adapter)].copy_(value)

    def step(self, rows: Sequence[Row]) -> dict[str, Any]:
        """Takes a step on rows with "question", "chosen" and "rejected".

        Returns:
            "drafts", token ids by row; the mean "loss"; "gradients" by adapter and name.
        """
        drafts = self._draft([row["question"] for row in rows])
        losses = []
        for row, several in zip(rows, drafts, strict=True):
            loss = self._loss(row, several)
            (loss / len(rows)).backward()
            losses.append(loss.detach())
        nn.utils.clip_grad_norm_(self._parameters(), 1.0)
        gradients = self._gradients()
        self._optimizer.step()
        self._optimizer.zero_grad()
        return {
            "drafts": drafts,
            "loss": torch.stack(losses).mean().cpu(),
            "gradients": gradients,
        }

    def _draft(self, questions: Sequence[str]) -> list[list[list[int]]]:
        """Each question's distinct drafts."""
        self._use("draft")
        prompts = [self._ids(self._prompts["draft"].format(question=q)) for q in questions]
        found = group_beams(self._model, prompts, self._settings)
        return [[list(ids) for ids in dict.fromkeys(map(tuple, texts))] for texts in found]

    def _loss(self, row: Row, drafts: Sequence[list[int]]) -> Tensor:
        """Eq. 9 of one pair: []."""
        question = row["question"]
        prompt = self._ids(self._prompts["draft"].format(question=question))
        first = [(prompt, ids) for ids in drafts]
        texts = [self._tokenizer.decode(ids) for ids in drafts]
        second = [
            self._with_completion(
                self._prompts["answer"].format(question=question, draft=text), row[side]
            )
            for side in ("chosen", "rejected")
            for text in texts
        ]
        # First the reference: peft switches gradients off with an adapter, and what was run with
        # them before would get none.
        with torch.no_grad(), self._model.disable_adapter():
            reference = self._marginals(first, second)
        policy = self._marginals(first, second)
        chosen, rejected = policy - reference
        return -F.logsigmoid(self._beta * (chosen - rejected))

    def _marginals(self, first: Sequence[Any], second: Sequence[Any]) -> Tensor:
        """Log p(z | x) of both sides: [2], nats."""
        self._use("draft")
        drafted = self._log_probs(first)  # (k,)
        self._use("answer")
        answered = self._log_probs(second).view(2, -1)  # (2, k)
        return (drafted + answered).logsumexp(-1)

    def _log_probs(self, rows: Sequence[tuple[list[int], list[int]]]) -> Tensor:
        """Of each completion behind its prompt: [len(rows)], nats."""
        width = max(len(prompt) + len(completion) for prompt, completion in rows)
        shortest = min(len(prompt) for prompt, _ in rows)
        shape = (len(rows), width)
        ids, mask, scored = (torch.zeros(shape, dtype=torch.long) for _ in range(3))
        for i, (prompt, completion) in enumerate(rows):
            size = len(prompt) + len(completion)
            ids[i, :size] = torch.tensor([*prompt, *completion])
            mask[i, :size], scored[i, len(prompt) : size] = 1, 1
        ids, mask, scored = (part.to(self._model.device) for part in (ids, mask, scored))
        logits = self._model(
            input_ids=ids,
            attention_mask=mask,
            logits_to_keep=width - shortest + 1,
            use_cache=False,
        ).logits
        log_probs = F.log_softmax(logits[:, :-1], -1)
        picked = log_probs.gather(-1, ids[:, shortest:, None])[..., 0]
        return (picked * scored[:, shortest:]).sum(-1)

    def _with_completion(self, prompt: str, text: str) -> tuple[list[int], list[int]]:
        whole, before = self._ids(prompt + text + self._end), self._ids(prompt)
        assert whole[: len(before)] == before, "the text's first token reaches into the prompt"
        return before, whole[len(before) :]

    def _ids(self, text: str) -> list[int]:
        return list(self._tokenizer.encode(text).ids)

    def _use(self, adapter: str) -> None:
        """Switches to an adapter; both keep their gradients."""
        self._model.base_model.set_adapter(adapter)
        for parameter in self._parameters():
            parameter.requires_grad_()

    def _parameters(self) -> list[nn.Parameter]:
        return [p for name, p in self._model.named_parameters() if "lora_" in name]

    def _gradients(self) -> dict[str, dict[str, Tensor]]:
        """By adapter and the names of sysgraph."""
        found: dict[str, dict[str, Tensor]] = {"draft": {}, "answer": {}}
        for name, parameter in self._model.named_parameters():
            for adapter, several in found.items():
                if f".{adapter}." in name and parameter.grad is not None:
                    several[name.replace(f".{adapter}.", ".")] = parameter.grad.cpu().clone()
        return found


def _peft_name(name: str, adapter: str) -> str:
    return name.replace(".weight", f".{adapter}.weight")
