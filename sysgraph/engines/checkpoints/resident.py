"""One base checkpoint in memory, shared by every model that names it, and the adapters on it."""

import contextlib
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
from . import shapes
from .adapters import Adapters
from .attention import require_attention, require_half
from .lending import rest
from .loading import Loaded, explained, load_model, load_part, read_model, tell_unused
from .offloaded import Offloaded
from .peft_adapters import PeftAdapters
from .quantized import kept_of, known_by, layers_of, put_back, quantizing, settled
from .reasons import quantization
from .shaped import shaped
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
        self._rounded = layers_of(self.base)
        self.adapters: Adapters = self._adapters(self.base)

    def _load_tokenizer(self) -> Any:
        return load_part(self._source, AutoTokenizer)

    def _adapters(self, base: PreTrainedModel) -> Adapters:
        return PeftAdapters(base, task_type=self._task, exclude_modules=self._unadapted())

    @cached_property
    def digest(self) -> str:
        """Of the base's weights as they were loaded, adapters aside."""
        return digest_of(known_by(self.weights) if self._spec.load_in else self.weights)

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

    def _fetch(self, *, plain: bool = False) -> Loaded:
        return self._loaded(plain)

    def _loaded(self, plain: bool, **settings: Any) -> Loaded:
        """The checkpoint as the graph wants it; or (plain) without its weights being quantized.

        Args:
            settings: more of `load_model`.

        Raises:
            InputError: it cannot be loaded, or not so.
        """
        spec = self._spec
        chosen: dict[str, Any] = {"dtype": spec.dtype}
        if spec.attn_implementation:
            chosen["attn_implementation"] = spec.attn_implementation
        if spec.load_in is not None and not plain:
            with explained(self._source):
                method = quantization(self._source)
                if method is not None:
                    raise ValueError(
                        f"its weights are quantized already ({method}): leave out `load_in`"
                    )
                with contextlib.nullcontext() if shapes.are_all() else torch.device("meta"):
                    revision = self._source.revision or "main"
                    blank: Any = shapes.blank(
                        self._source.path, self._auto, revision=revision, **chosen
                    )
                kept = kept_of(blank, self._kept(blank))
            if shapes.are_all():
                return Loaded(shaped(blank.eval(), kept), (), ())
            settings |= quantizing(self.device, kept)
        return load_model(self._source, self._auto, mesh=mesh(), **chosen, **settings)

    def _kept(self, blank: PreTrainedModel) -> list[str]:
        """The names of layers that are not quantized, output layers aside."""
        del blank
        return []

    def _prepared(self, loaded: Loaded) -> PreTrainedModel:
        module: PreTrainedModel = loaded.module
        module.requires_grad_(False)
        nn.Module.to(module, self.device)
        with explained(self._source):
            settled(module, here=self._spec.load_in is not None)
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
        """A copy of the base with the adapter in a folder merged into it, of plain weights.

        Of weights that were quantized as they were loaded, those that they stand for.

        Raises:
            InputError: the checkpoint itself has quantized weights.
        """
        adapters = self._adapters(self._unrounded())
        adapters.attach("merged", folder)
        return adapters.merge("merged")

    def _unrounded(self) -> PreTrainedModel:
        if self._spec.load_in is not None:
            module = self._prepared(self._fetch(plain=True))
            put_back(self._rounded, module)
            return module
        if getattr(self.base, "hf_quantizer", None) is not None:
            raise InputError(
                f"model id {self._spec.id!r} has quantized weights, into which no adapter is "
                "merged: leave the adapter beside it"
            )
        return self.load()

    def window(self) -> int | None:
        """Longest sequence the model was made for, in tokens."""
        return self._window

    @cached_property
    def _window(self) -> int | None:
        """Goes through all modules, and is asked for with every prompt."""
        return window(self.base)
