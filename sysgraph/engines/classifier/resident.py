"""A sequence classifier in memory."""

from functools import cached_property

import torch
from peft.utils.constants import SEQ_CLS_HEAD_NAMES
from transformers import AutoModelForSequenceClassification, PreTrainedModel

from sysgraph_schemas import Classifier

from ...support.errors import InputError
from ..checkpoints.loading import Loaded, is_head
from ..checkpoints.resident import Resident
from ..checkpoints.vocabulary import vocabulary
from ..checkpoints.window import window
from .probe import probe

# peft trains a copy of the head beside the adapter. It finds the head by how names end (so
# `pre_classifier` too), and cannot copy what has an adapter as well.
_HEAD = rf"\w*({'|'.join(SEQ_CLS_HEAD_NAMES)})(\..*)?"


class ClassifierResident(Resident):
    """A sequence classifier and its labels.

    Raises:
        InputError: the checkpoint cannot be loaded or run, or has no labels to choose one from: one
            output, or several that do not exclude each other.
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
        if config.problem_type not in (None, "single_label_classification"):
            raise InputError(
                f"{spec.id!r} is made for {config.problem_type}: its outputs are no probabilities "
                "of which one label is drawn; take a classifier whose labels exclude each other"
            )
        try:
            self.vocabulary = vocabulary(self.base)
            self.habits = probe(self.base, self.vocabulary)
        except InputError as error:
            raise InputError(f"model id {spec.id!r}: {error}") from error

    def _unadapted(self) -> str | None:
        """The head, if the base has one of peft's names for it."""
        heads = tuple(SEQ_CLS_HEAD_NAMES)
        return _HEAD if any(n.endswith(heads) for n, _ in self.base.named_children()) else None

    def _fetch(self, *, plain: bool = False) -> Loaded:
        """The checkpoint; a head that it lacks is the same one whenever it is loaded."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            return self._loaded(plain, headless=True)

    def _kept(self, blank: PreTrainedModel) -> list[str]:
        """All that files may lack: heads are random then, and trained whole beside an adapter."""
        return [name for name, _ in blank.named_modules() if name and is_head(blank, name)]

    @cached_property
    def _window(self) -> int | None:
        return window(self.base, self.tokenizer)
