"""A sequence classifier in memory."""

import sys

import torch
from peft.utils.constants import SEQ_CLS_HEAD_NAMES
from transformers import AutoModelForSequenceClassification

from sysgraph_schemas import Classifier

from ...errors import InputError
from ..checkpoints.loading import Loaded, load_model
from ..checkpoints.resident import Resident

# peft trains a copy of the head beside the adapter. It finds the head by how names end (so
# `pre_classifier` too), and cannot copy what has an adapter as well.
_HEAD = rf"\w*({'|'.join(SEQ_CLS_HEAD_NAMES)})(\..*)?"


class ClassifierResident(Resident):
    """A sequence classifier and its labels.

    Raises:
        InputError: the checkpoint cannot be loaded, or has one output: no labels to choose from.
    """

    _auto = AutoModelForSequenceClassification
    _task = "SEQ_CLS"

    def __init__(self, spec: Classifier, device: torch.device) -> None:
        super().__init__(spec, device)
        config = self.base.config
        names: dict[int, str] = config.id2label  # type: ignore[assignment]
        self.labels = tuple(names[i] for i in sorted(names))
        if len(self.labels) < 2:
            raise InputError(f"{spec.id!r} has one output: a score, and no labels to choose from")
        # Decoders find a text's last token by this id: without it, they take one text at a time.
        self.pad: int | None = config.get_text_config().pad_token_id

    def _unadapted(self) -> str | None:
        """The head, if the base has one of peft's names for it."""
        heads = tuple(SEQ_CLS_HEAD_NAMES)
        return _HEAD if any(n.endswith(heads) for n, _ in self.base.named_children()) else None

    def _fetch(self) -> Loaded:
        """The checkpoint; a head that it lacks is the same one whenever it is loaded."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            return load_model(self._source, self._auto, dtype=self._spec.dtype, headless=True)

    def window(self) -> int | None:
        """Longest text, in tokens; some models count positions that no token takes."""
        window = min(super().window() or sys.maxsize, self.tokenizer.model_max_length)
        return None if window >= sys.maxsize else window
