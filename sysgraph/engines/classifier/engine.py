"""The engine of `classifier` models."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache

import torch
from torch import Tensor, nn

from sysgraph_schemas import Classifier

from ...errors import InputError
from ...progress import Reporter
from ..base import Context, Request
from ..checkpoints.batching import Ids
from ..checkpoints.chat import encode_chat
from ..checkpoints.completeness import listed
from ..checkpoints.engine import ENCODED, CheckpointEngine
from ..checkpoints.prompt_check import prompt_oddities
from ..checkpoints.vocabulary import require_known
from .labels import label_of
from .resident import ClassifierResident
from .scoring import label_log_probs, passes


class ClassifierEngine(CheckpointEngine[Classifier, ClassifierResident]):
    """All `classifier` models of a system. See `Engine` for the methods.

    They score alone: what a classifier gives is a choice, which `System` draws and searches.
    """

    def __init__(
        self, models: Mapping[str, Classifier], *, device: torch.device, seed: int
    ) -> None:
        super().__init__(models, ClassifierResident, device=device, seed=seed)
        for name, spec in models.items():
            _check_head(name, spec, self._weights[name].resident.fresh)
        self._encoded = lru_cache(maxsize=ENCODED)(self._encode)

    def problem(self, request: Request) -> str | None:
        """Why `request` cannot be scored (no such label or token, too long), or None."""
        try:
            self._label(request)
            size = len(self._encoded(request.model, request.context))
        except InputError as error:
            return str(error)
        window = self._weights[request.model].resident.window()
        if window is not None and size > window:
            return f"{size} tokens, but model {request.model!r} has a window of {window}"
        return None

    def warning(self, request: Request) -> None:
        """None: what can be scored is scored whole."""

    def oddities(self, model: str, roles: Sequence[str]) -> tuple[str, ...]:
        """What the model's chat template does to messages of these roles; see `Prompted`."""
        tokenizer = self._weights[model].resident.tokenizer
        return tuple(prompt_oddities(tokenizer, roles, answers=False))

    def length(self, request: Request) -> int:
        """1: a value is one label."""
        return 1

    def _score(
        self, module: nn.Module, resident: ClassifierResident, requests: Sequence[Request]
    ) -> Iterator[tuple[list[int], Tensor]]:
        """Log p(label | text) by forward pass; each text is run once."""
        where: dict[Ids, list[int]] = defaultdict(list)
        for index, request in enumerate(requests):
            where[self._encoded(request.model, request.context)].append(index)
        unique, pad = list(where), resident.habits.pad
        for batch in passes(unique, pad=pad):
            table = label_log_probs(module, [unique[i] for i in batch], pad=pad)  # (B, L)
            picks = [(row, index) for row, i in enumerate(batch) for index in where[unique[i]]]
            rows = torch.tensor([row for row, _ in picks], device=table.device)
            labels = [self._label(requests[index]) for _, index in picks]
            yield (
                [index for _, index in picks],
                table[rows, torch.tensor(labels, device=table.device)],
            )

    def _label(self, request: Request) -> int:
        labels = self._weights[request.model].resident.labels
        return label_of(request.completion.text, request.options, labels, request.model)

    def _encode(self, model: str, context: Context) -> Ids:
        resident = self._weights[model].resident
        tokenizer, end = resident.tokenizer, resident.habits.end
        if not isinstance(context, str):
            ids = encode_chat(tokenizer, context)
        else:
            ids = tuple(tokenizer(context)["input_ids"])
        if not ids:
            raise InputError("the prompt is empty and the tokenizer adds no token of its own")
        require_known(tokenizer, ids, resident.vocabulary, f"prompt for model {model!r}")
        if end is not None and end not in ids:
            raise InputError(
                f"model {model!r} reads a text at its end token "
                f"{tokenizer.convert_ids_to_tokens(end)!r}, which this prompt does not have"
            )
        return ids


def _check_head(name: str, spec: Classifier, fresh: Sequence[str]) -> None:
    """Warns of a head that starts from random numbers, the same ones whenever it is loaded.

    Raises:
        InputError: it would never be trained.
    """
    if not fresh:
        return
    if spec.train == "frozen":
        raise InputError(
            f"model id {spec.id!r} is no trained classifier: it lacks {listed(fresh)}. Train "
            f"model {name!r} (`train: lora` or `full`), or name a checkpoint with a head"
        )
    Reporter().line(
        f"warning: model {name!r} starts with a head of random numbers: {spec.id!r} lacks "
        f"{listed(fresh)}"
    )
