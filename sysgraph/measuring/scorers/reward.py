"""A reward model: a sequence classifier with one output, which scores each answer by itself."""

import sys
from collections.abc import Sequence

import torch
from torch import nn
from torch.nn.utils.rnn import pad_sequence
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from ...engines.checkpoints.chat import chat_text
from ...engines.checkpoints.loading import load_model, load_part, tell_unused
from ...engines.checkpoints.sources import source
from ...engines.checkpoints.vocabulary import require_known, vocabulary
from ...engines.checkpoints.window import window
from ...engines.classifier.probe import probe
from ...support.device import default_device
from ...support.errors import InputError
from ...support.progress import Reporter
from ...traces.prompt import ChatTurn
from ...traces.trace import Trace
from ..question import answer, question

BATCH = 16
"""Texts in one call of the model."""


class RewardModel:
    """Scores (question, answer) with `AutoModelForSequenceClassification`, safetensors only.

    The text is the tokenizer's chat template over a user's turn and an assistant's; without a
    template, question and answer with an empty line between. Of a text longer than the model's
    window the start is cut off, which is told once.

    Args:
        name: a Hub id or a folder.

    Raises:
        InputError: it cannot be loaded, has no trained head, or more than one output.
    """

    def __init__(
        self, name: str, *, device: torch.device | None = None, reporter: Reporter | None = None
    ) -> None:
        self._name, self._reporter = name, reporter or Reporter()
        self._device = device or default_device()
        self._model, self._tokenizer = _load(name)
        nn.Module.to(self._model, self._device)
        self._tokenizer.truncation_side = "left"
        try:
            self._vocabulary = vocabulary(self._model)
            self._habits = probe(self._model, self._vocabulary)
        except InputError as error:
            raise InputError(f"cannot use the reward model {name!r}: {error}") from error
        self._window = window(self._model, self._tokenizer) or sys.maxsize
        self._told = False

    @torch.inference_mode()
    def score(self, traces: Sequence[Trace]) -> list[float]:
        """The model's output for each trace, float32; equal texts have equal scores.

        Raises:
            InputError: the chat template refuses a conversation, or a text has no tokens.
        """
        texts = [self._text(trace) for trace in traces]
        rows = {text: self._ids(text) for text in dict.fromkeys(texts)}
        order = sorted(rows, key=lambda text: len(rows[text]), reverse=True)
        size = 1 if self._habits.pad is None else BATCH
        scores: dict[str, float] = {}
        for start in range(0, len(order), size):
            batch = order[start : start + size]
            scores.update(zip(batch, self._forward([rows[text] for text in batch]), strict=True))
        return [scores[text] for text in texts]

    def _forward(self, rows: Sequence[Sequence[int]]) -> list[float]:
        ids = [torch.tensor(row) for row in rows]
        # Padded on the right: positions stay what they are alone, and causal models never look.
        padded = pad_sequence(ids, batch_first=True, padding_value=self._habits.pad or 0)  # [B, T]
        mask = pad_sequence([torch.ones_like(row) for row in ids], batch_first=True)
        logits = self._model(
            input_ids=padded.to(self._device), attention_mask=mask.to(self._device)
        ).logits
        scores: list[float] = logits[:, 0].float().tolist()  # [B]
        return scores

    def _text(self, trace: Trace) -> str:
        asked = question(trace.inputs)
        said = answer(trace, f"reward:{self._name}")
        if not self._tokenizer.chat_template:
            return f"{asked}\n\n{said}"
        turns = (ChatTurn("user", asked), ChatTurn("assistant", said))
        try:
            return chat_text(self._tokenizer, turns)
        except InputError as error:
            raise InputError(f"reward:{self._name}: {error}") from error

    def _ids(self, text: str) -> list[int]:
        special = not self._tokenizer.chat_template  # a template writes special tokens itself
        ids: list[int] = self._tokenizer(text, add_special_tokens=special)["input_ids"]
        if len(ids) > self._window:
            if not self._told:
                self._reporter.line(
                    f"warning: reward:{self._name}: the start of texts longer than the model's "
                    f"{self._window} tokens is cut off (the first of them has {len(ids)})"
                )
            self._told = True
            # By the tokenizer, which keeps the special tokens around the text.
            ids = self._tokenizer(
                text, add_special_tokens=special, truncation=True, max_length=self._window
            )["input_ids"]
        if not ids:
            raise InputError(f"the tokenizer of {self._name!r} gives no tokens for {text!r:.60}")
        require_known(self._tokenizer, ids, self._vocabulary, f"text {text!r:.60}")
        if self._habits.end is not None and self._habits.end not in ids:
            raise InputError(
                f"{self._name!r} reads a text at its end token, which its tokenizer or its chat "
                f"template does not write: {text!r:.60}"
            )
        return ids


def _load(name: str) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    found = source(name, what="the reward model")
    tokenizer: PreTrainedTokenizerBase = load_part(found, AutoTokenizer)
    loaded = load_model(found, AutoModelForSequenceClassification)
    tell_unused(found, loaded)
    model: PreTrainedModel = loaded.module
    if model.config.num_labels != 1:
        raise InputError(
            f"{name!r} is no reward model: it has {model.config.num_labels} outputs; expected 1"
        )
    return model, tokenizer
