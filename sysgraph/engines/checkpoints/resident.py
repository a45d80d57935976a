"""One base checkpoint in memory, shared by every model that names it, and the adapters on it."""

import hashlib
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import nn
from transformers import AutoTokenizer, PreTrainedModel

from sysgraph_schemas.models.transformer import Transformer

from ...support.errors import InputError
from ...support.quiet import quiet
from ..digest import digest_of, places_of, weights_at, weights_in
from ..sharding import Probe, Sharding, mesh
from .adapters import Adapters
from .attention import require_attention, require_half
from .lending import rest
from .loading import Loaded, load_model, load_part, read_model, tell_unused
from .offloaded import Offloaded
from .peft_adapters import PeftAdapters
from .sources import source
from .window import window

_NAMES = ("_name_or_path", "transformers_version")
"""What a configuration has that nothing is computed by."""


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

    def __init__(self, spec: Transformer, device: torch.device) -> None:
        self._spec, self.device = spec, device
        require_attention(spec.id, spec.attn_implementation, device)
        self._source = source(spec.id, revision=spec.revision)
        self.tokenizer = self._load_tokenizer()
        loaded = self._fetch()
        require_half(spec.id, spec.attn_implementation, loaded.module)
        self.fresh = loaded.fresh
        """Weights of the head that the checkpoint lacks."""
        tell_unused(self._source, loaded)
        self.base = self._prepared(loaded)
        # Taken before adapters are put into the base, which rename what is in it.
        self.weights = weights_in(self.base)
        self.adapters: Adapters = self._adapters(self.base)

    def _load_tokenizer(self) -> Any:
        return load_part(self._source, AutoTokenizer)

    def _adapters(self, base: PreTrainedModel) -> Adapters:
        return PeftAdapters(base, task_type=self._task, exclude_modules=self._unadapted())

    @cached_property
    def digest(self) -> str:
        """Of the base's weights as they were loaded, adapters aside."""
        return digest_of(self.weights)

    @cached_property
    def settings(self) -> str:
        """Tells how the base computes: its class, its configuration, and what the head is run as.

        A head that has an adapter in it is run another way, whatever is active: first to be asked
        for when all models have their adapters.
        """
        config = self.base.config
        told = {k: v for k, v in config.to_dict().items() if k not in _NAMES}
        head = str(type(self.base.get_output_embeddings()))  # two libraries have a `Linear`
        attention = config._attn_implementation
        text = repr((type(self.base).__name__, sorted(told.items()), attention, head))
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()

    def offloaded(self) -> Offloaded:
        """The base, once nothing but references will run on it."""
        base = Offloaded(self.base, self.device)
        self.weights = weights_in(self.base)
        return base

    def divide(self, sharding: Sharding, probe: Probe) -> None:
        """Divides the base and all adapters on it over processes.

        Args:
            probe: a little work of the base.
        """
        _ = self.digest, self.settings  # of the whole
        rest(self.base)
        places = places_of(self.weights, self.base)
        self.adapters.divide(sharding, probe)
        self.weights = weights_at(places)

    def _unadapted(self) -> str | None:
        """A pattern of the names of modules that get no adapter: they are trained whole, beside."""
        return None

    def load(self) -> PreTrainedModel:
        """The checkpoint's weights, frozen, in evaluation mode (DPO trains without dropout).

        Raises:
            InputError: its weights are quantized, and can not be trained whole.
        """
        if getattr(self.base, "hf_quantizer", None) is not None:
            raise InputError(
                f"model id {self._spec.id!r} has quantized weights, which `train: full` cannot "
                "train: use `train: lora`"
            )
        return self._prepared(self._fetch())

    def _fetch(self) -> Loaded:
        return load_model(self._source, self._auto, mesh=mesh(), **self._asked())

    def _asked(self) -> dict[str, Any]:
        """How the graph wants it loaded, as `from_pretrained` takes it."""
        spec = self._spec
        chosen = {"attn_implementation": spec.attn_implementation}
        return {"dtype": spec.dtype, **(chosen if spec.attn_implementation else {})}

    def _prepared(self, loaded: Loaded) -> PreTrainedModel:
        module: PreTrainedModel = loaded.module
        module.requires_grad_(False)
        nn.Module.to(module, self.device)
        return module

    def read(self, folder: Path) -> PreTrainedModel:
        """The whole checkpoint in a folder.

        Raises:
            one of UNREADABLE: there is none.
        """
        path = folder.resolve(strict=True)
        if (path / "adapter_config.json").is_file():  # whose base would be loaded as well
            raise ValueError("it is an adapter's, and the model is trained whole")
        module: PreTrainedModel = read_model(path, self._auto, local_files_only=True).module
        return module

    def save(self, module: Any, folder: Path) -> None:
        """Writes `module` as a whole checkpoint with its tokenizer, as `read` reads it."""
        with quiet():
            module.save_pretrained(str(folder))
            self.tokenizer.save_pretrained(str(folder))

    def write(self, module: Any, folder: Path) -> None:
        """As `save`: a checkpoint is all there is."""
        self.save(module, folder)

    def merged(self, folder: Path) -> nn.Module:
        """A copy of the base with the adapter in a folder merged into it.

        Raises:
            InputError: the base has quantized weights.
        """
        if getattr(self.base, "hf_quantizer", None) is not None:
            raise InputError(
                f"model id {self._spec.id!r} has quantized weights, into which no adapter is "
                "merged: leave the adapter beside it"
            )
        adapters = self._adapters(self.load())
        adapters.attach("merged", folder)
        return adapters.merge("merged")

    def window(self) -> int | None:
        """Longest sequence the model was made for, in tokens."""
        return self._window

    @cached_property
    def _window(self) -> int | None:
        """Goes through all modules, and is asked for with every prompt."""
        return window(self.base)
