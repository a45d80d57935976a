"""One base checkpoint in memory, shared by every model that names it, and the adapters on it."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import torch
from safetensors import SafetensorError
from torch import nn
from transformers import AutoTokenizer, PreTrainedModel

from sysgraph_schemas import Checkpoint

from ... import toys
from ...errors import InputError
from .adapters import Adapters
from .peft_adapters import PeftAdapters
from .quiet import quiet
from .window import window

# What transformers, diffusers and safetensors raise for a folder that is no checkpoint, or a
# damaged one.
UNREADABLE = (OSError, ValueError, RuntimeError, TypeError, KeyError, SafetensorError)


class Resident:
    """A base model, its tokenizer and its adapters. A subclass says what kind of model it is.

    Raises:
        InputError: the checkpoint cannot be loaded.
    """

    noun: ClassVar[str] = "checkpoint"
    _auto: ClassVar[Any]
    """The class of transformers that loads it."""
    _task: ClassVar[str]
    """What peft calls its task."""

    def __init__(self, spec: Checkpoint, device: torch.device) -> None:
        self._spec, self.device = spec, device
        with explained(spec.id):
            self.tokenizer = AutoTokenizer.from_pretrained(
                source(spec), revision=spec.revision or "main"
            )
        self.base = self.load()
        self.adapters: Adapters = PeftAdapters(
            self.base, task_type=self._task, exclude_modules=self._unadapted()
        )

    def _unadapted(self) -> str | None:
        """A pattern of the names of modules that get no adapter: they are trained whole, beside."""
        return None

    def load(self) -> PreTrainedModel:
        """The checkpoint's weights, frozen, in evaluation mode (DPO trains without dropout).

        Raises:
            InputError: the spec's `id` is no checkpoint that can be loaded.
        """
        with explained(self._spec.id):
            module: PreTrainedModel = self._auto.from_pretrained(
                source(self._spec), revision=self._spec.revision or "main", dtype=self._spec.dtype
            )
        module.requires_grad_(False).eval()
        nn.Module.to(module, self.device)
        return module

    def read(self, folder: Path) -> PreTrainedModel:
        """The whole checkpoint in a folder.

        Raises:
            one of UNREADABLE: there is none.
        """
        with quiet():
            loaded: Any = self._auto.from_pretrained(
                folder.resolve(strict=True), output_loading_info=True, local_files_only=True
            )
        module: PreTrainedModel
        module, found = loaded
        if found["missing_keys"]:
            raise ValueError(f"it lacks {sorted(found['missing_keys'])[0]}")
        return module

    def save(self, module: Any, folder: Path) -> None:
        """Writes `module` as a whole checkpoint with its tokenizer, as `read` reads it."""
        with quiet():
            module.save_pretrained(str(folder))
            self.tokenizer.save_pretrained(str(folder))

    def window(self) -> int | None:
        """Longest sequence the model was made for, in tokens."""
        return window(self.base)


def source(spec: Checkpoint) -> str:
    """What `from_pretrained` takes: a toy's folder, or the id as it stands."""
    return str(toys.model_folder(spec.id)) if toys.is_toy(spec.id) else spec.id


@contextlib.contextmanager
def explained(name: str) -> Iterator[None]:
    """Turns what a library raises while it loads the model id `name` into an InputError."""
    try:
        with quiet():
            yield
    except UNREADABLE as error:
        raise InputError(f"cannot load model id {name!r}: {error}") from error
