"""An image classifier or regressor: what it gives for the label that is asked for."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import AutoImageProcessor, AutoModelForImageClassification

from sysgraph_schemas.suggest import suggestion

from ....support.device import default_device
from ....support.errors import InputError
from ....traces.pictures import Picture
from .base import Meter, text_field
from .checkpoint import load


class Classifier(Meter[int]):
    """The output of `AutoModelForImageClassification` for the label in the row's `attribute`.

    As the pipeline `image-classification` has it: softmax over labels; the sigmoid where several
    labels may hold at once or there is only one; a regressor's number as it is.

    Args:
        id: a Hub id or a folder.

    Raises:
        InputError: it cannot be loaded, or has no trained head.
    """

    def __init__(self, id: str, *, device: torch.device | None = None) -> None:
        super().__init__(f"classifier:{id}")
        self._device = device or default_device()
        self._model, self._processor = load(
            id,
            model=AutoModelForImageClassification,
            processor=AutoImageProcessor,
            what="image classifier",
            device=self._device,
        )
        labels: dict[int, str] = self._model.config.id2label
        self._labels = {label: index for index, label in labels.items()}

    def asked(self, fields: Mapping[str, Any]) -> int:
        """The index of the label that the row's `attribute` names."""
        label = text_field(fields, "attribute")
        if label not in self._labels:
            known = suggestion(label, self._labels, "its labels are")
            raise InputError(f"attribute: {self.name} has no label {label!r}; {known}")
        return self._labels[label]

    def forward(self, pictures: Sequence[Picture], asked: Sequence[int]) -> list[float]:
        """The output for each picture's label."""
        images = [picture.open() for picture in pictures]
        inputs = self._processor(images=images, return_tensors="pt")
        logits = self._model(**inputs.to(self._device, self._model.dtype)).logits  # (B, labels)
        rows = torch.arange(len(asked))
        values: list[float] = self._activated(logits.float())[rows, list(asked)].tolist()
        return values

    def _activated(self, logits: Tensor) -> Tensor:
        config = self._model.config
        if config.problem_type == "regression":
            return logits
        if config.problem_type == "multi_label_classification" or config.num_labels == 1:
            return logits.sigmoid()
        return logits.softmax(-1)
