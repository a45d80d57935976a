"""Ranks texts by the similarity of their embeddings."""

import json
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor
from transformers import AutoModel, AutoTokenizer

from ..engines.checkpoints.loading import load_model, load_part
from ..engines.checkpoints.sources import source
from ..engines.checkpoints.window import window
from ..support.device import default_device
from ..support.errors import InputError

_BATCH = 32


class Index:
    """A sentence-embedding model's vectors of texts, by cosine similarity.

    The mean of the last hidden states over a text's tokens, or the first token's where the folder's
    `1_Pooling/config.json` says so; scaled to length 1. A text longer than the model's window is
    cut there.

    Args:
        folder: of a transformers model, safetensors only. No code of it runs.

    Raises:
        InputError: it cannot be loaded.
    """

    def __init__(self, folder: Path, texts: Sequence[str]) -> None:
        found = source(str(folder), what="the embedder")
        self._tokenizer = load_part(found, AutoTokenizer)
        self._device = default_device()
        self._model = load_model(found, AutoModel).module.to(self._device)
        if self._tokenizer.pad_token is None:
            raise InputError(f"the embedder {folder} has a tokenizer without a padding token")
        self._first = _reads_first(folder)
        self._longest = window(self._model, self._tokenizer)
        self._vectors = self._embedded(texts)  # [texts, D]

    def best(self, query: str, count: int) -> list[int]:
        """The most similar texts, the best first; ties in their own order."""
        scores = self._vectors @ self._embedded([query])[0]  # [texts]
        return [int(i) for i in scores.argsort(descending=True, stable=True)[:count]]

    @torch.inference_mode()
    def _embedded(self, texts: Sequence[str]) -> Tensor:
        parts = [self._part(texts[i : i + _BATCH]) for i in range(0, len(texts), _BATCH)]
        return torch.cat(parts)

    def _part(self, texts: Sequence[str]) -> Tensor:
        rows = self._tokenizer(
            list(texts),
            padding=True,
            truncation=self._longest is not None,
            max_length=self._longest,
            padding_side="right",
            return_tensors="pt",
        ).to(self._device)
        states = self._model(**rows).last_hidden_state.float()  # [B, T, D]
        mask = rows["attention_mask"].unsqueeze(-1).float()  # [B, T, 1]
        mean = (states * mask).sum(1) / mask.sum(1).clamp(min=1)
        vectors: Tensor = torch.nn.functional.normalize(states[:, 0] if self._first else mean)
        return vectors.cpu()


def _reads_first(folder: Path) -> bool:
    """Whether the text's vector is its first token's."""
    file = folder / "1_Pooling" / "config.json"
    if not file.is_file():
        return False
    try:
        config = json.loads(file.read_text("utf-8"))
        return bool(config.get("pooling_mode_cls_token") or config.get("pooling_mode") == "cls")
    except (OSError, ValueError, AttributeError) as error:
        raise InputError(f"{file} cannot be read: {error}") from None
