"""The engine of `classifier` models."""

from collections import defaultdict
from collections.abc import Hashable, Iterator, Mapping, Sequence
from functools import lru_cache, partial

import torch
from torch import Tensor, nn

from sysgraph_schemas import Classifier

from ...support.device import on_device
from ...support.errors import InputError
from ...support.progress import Reporter
from ...traces.prompt import Context
from ..asked import Request
from ..checkpoints.batching import TOKENS_PER_PASS, Ids, batches
from ..checkpoints.chat import encode_chat
from ..checkpoints.completeness import listed
from ..checkpoints.engine import ENCODED, CheckpointEngine, Part, Values
from ..checkpoints.prompt_check import prompt_oddities
from ..checkpoints.vocabulary import require_known
from ..checkpoints.weights import Weights
from ..work import Work
from .labels import label_of
from .resident import ClassifierResident
from .scoring import label_log_probs

_PROBE = 32
"""Tokens of a text on which the memory of a graph is measured."""


class ClassifierEngine(CheckpointEngine[Classifier, ClassifierResident]):
    """All `classifier` models of a system. For the methods see `engines.base`.

    They score alone: what a classifier gives is a choice, which `System` draws and searches.
    """

    def __init__(
        self, models: Mapping[str, Classifier], *, device: torch.device, seed: int
    ) -> None:
        super().__init__(models, ClassifierResident, device=device, seed=seed)
        for name, spec in models.items():
            if spec.adapter is None:  # which has a head of its own
                _check_head(name, spec, self._weights[name].resident.fresh)
        self._encoded = lru_cache(maxsize=ENCODED)(self._encode)
        self._require_recomputing()

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

    def shown(self, model: str, context: Context) -> str:
        """The text of the prompt's tokens; see `Prompted`."""
        return str(self._weights[model].resident.tokenizer.decode(self._encoded(model, context)))

    def length(self, request: Request) -> int:
        """1: a value is one label."""
        return 1

    def _parts(
        self, weights: Weights[ClassifierResident], requests: Sequence[Request], gradients: bool
    ) -> Iterator[Part]:
        """Log p(label | text); each text is run once."""
        where: dict[Ids, list[int]] = defaultdict(list)
        for index, request in enumerate(requests):
            where[self._encoded(request.model, request.context)].append(index)
        unique, pad = list(where), weights.resident.habits.pad
        budget = TOKENS_PER_PASS
        if gradients:
            budget = min(budget, int(_PROBE * self._fitting(requests[0].model)))
        most = 1 if pad is None else None  # without a pad, one row each
        for batch in batches([len(row) for row in unique], budget, most=most):
            rows = [unique[i] for i in batch]
            picks = [(row, index) for row, text in enumerate(rows) for index in where[text]]
            labels = [self._label(requests[index]) for _, index in picks]
            yield Part(
                [index for _, index in picks],
                partial(_picked, rows=rows, pad=pad, at=[row for row, _ in picks], labels=labels),
                len(rows) * max(map(len, rows)) / max(budget, 1),
                Work.of([len(row) for row in rows]),
            )

    def _content(self, request: Request) -> Hashable:
        """The text's ids and the label."""
        habits = self._weights[request.model].resident.habits
        return self._encoded(request.model, request.context), self._label(request), habits.pad

    def _probe(self, model: str) -> Values:
        habits = self._weights[model].resident.habits
        token = 1 if habits.pad == 0 else 0
        row = (*(token,) * (_PROBE - 1), token if habits.end is None else habits.end)
        return partial(label_log_probs, rows=[row], pad=habits.pad)

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


def _picked(
    module: nn.Module,
    *,
    rows: Sequence[Ids],
    pad: int | None,
    at: Sequence[int],
    labels: Sequence[int],
) -> Tensor:
    """Log p of `labels`, each of the text `at` its place: [len(labels)]."""
    table = label_log_probs(module, rows, pad=pad)  # (B, L)
    return table[on_device(at, table.device), on_device(labels, table.device)]
