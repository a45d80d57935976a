"""LoRA adapters on one base, of which one at a time is active."""

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from peft import LoraConfig
from torch import Tensor, nn

from sysgraph_schemas import LoRA

from ...support.errors import InputError
from ...support.quiet import quiet
from ..sharding import Probe, Sharding
from .copying import copy_weights
from .loading import UNREADABLE
from .targets import beside, targets

if TYPE_CHECKING:
    from .divided import Divided

_MEANING = (
    *("r", "lora_alpha", "rank_pattern", "alpha_pattern", "use_rslora", "use_dora"),
    *("target_modules", "exclude_modules", "layers_to_transform", "layers_pattern"),
    *("target_parameters", "modules_to_save", "fan_in_fan_out", "lora_bias"),
)
"""The settings of peft's that say what saved weights mean. Others say how they once began or where
they are from, change the base, or name modules to import: they are not for a file to decide."""


class SavedAdapter(NamedTuple):
    """An adapter in a folder: its weights as `Adapters.state` names them, and peft's settings."""

    weights: dict[str, Tensor]
    settings: dict[str, Any]


class Adapters(ABC):
    """The adapters on a base. A subclass says how its library adds, switches and stores them.

    Args:
        base: the module that gets them, frozen.
        settings: of peft, for every adapter.
    """

    def __init__(self, base: nn.Module, **settings: Any) -> None:
        self._root = base
        self._host: Any = base
        """What has the adapters in it: the base, or what the library wraps it in."""
        self._modules = dict(base.named_modules())
        """As they were before any adapter."""
        self._settings = settings
        self._active: str | None = None
        self._learning: list[str] = []
        self._trained: list[nn.Parameter] = []
        self._divided: Divided | None = None
        self._kinds: dict[str | None, int] = {}
        """Of the passes that train each adapter, where the base is divided."""

    def module(self, adapter: str | None) -> nn.Module:
        """The base with one adapter active, or (None) as it was loaded, until the next call."""
        if adapter != self._active:
            self._activate(adapter)
        module: nn.Module = self._host
        return module

    @property
    def active(self) -> str | None:
        """The adapter that is, if one is."""
        return self._active

    def divide(self, sharding: Sharding, probe: Probe) -> None:
        """Divides the base and all adapters, which are then all that it is to have.

        Args:
            probe: a little work of the base.
        """
        from .divided import Divided

        def training() -> int | None:
            return self._kinds.get(self._active)

        self._divided = Divided(self._root, sharding, probe, training=training)
        self._trained = [p for name in self._learning for p in self.parameters(name).values()]
        self._freeze_others()

    def learns(self, adapter: str, idle: Callable[[], None]) -> None:
        """Has a divided base's adapter trained in all processes at once; see `Divided.learns`."""
        assert self._divided is not None
        self._kinds[adapter] = self._divided.learns(idle)

    @contextlib.contextmanager
    def gathered(self, adapter: str, *, here: bool) -> Iterator[None]:
        """A divided base's adapter is whole until the block ends; see `gathering.gathered`."""
        from .gathering import gathered

        with gathered(self._host, self.parameters(adapter).values(), here=here):
            yield

    def _rest(self) -> None:
        if self._divided is not None:  # else what is seen is whole
            self._divided.rest()

    def _activate(self, adapter: str | None) -> None:
        self._rest()
        self._switch(adapter)
        self._active = adapter
        self._freeze_others()

    def _freeze_others(self) -> None:
        # peft freezes every adapter that is not active. A step's graph spans all of them, and a
        # parameter that is frozen when the graph is walked back gets no gradient.
        self._host.requires_grad_(False)
        for parameter in self._trained:
            parameter.requires_grad_(True)

    def add(self, adapter: str, lora: LoRA, seed: int, *, trained: bool) -> None:
        """Adds a LoRA adapter; its initial weights depend on `lora` and `seed` alone.

        Raises:
            InputError: something in `lora.target_modules` names no layer that can have one.
        """
        chosen, excluded = self._targets(lora.target_modules)
        config = LoraConfig(
            r=lora.r,
            lora_alpha=lora.alpha,  # type: ignore[arg-type]
            target_modules=chosen,
            exclude_modules=excluded or None,
            **self._settings,
        )
        try:
            self._begin(adapter, config, seed)
        except ValueError as error:
            raise InputError(f"`lora.target_modules`: {error}") from error
        if trained:
            self._learning.append(adapter)
            self._trained += self.parameters(adapter).values()
        self._activate(adapter)

    def attach(self, adapter: str, folder: Path) -> None:
        """Adds the adapter in a folder, as it is and frozen.

        Raises:
            InputError: there is none, or it does not fit the base.
        """
        if not folder.is_dir():
            raise InputError(f"no such folder: {folder.absolute()}")
        try:
            weights, settings = self.read(folder)
            if settings.get("peft_type", "LORA") != "LORA" or "r" not in settings:
                raise ValueError("it does not say that it is LoRA, and of which rank")
            said = {k: settings[k] for k in _MEANING if settings.get(k) is not None}
            self._begin(adapter, LoraConfig(**{**said, **self._settings}), seed=0)
            copy_weights(self.state(adapter), weights)
        except UNREADABLE as error:
            raise InputError(f"{folder} is no adapter on this base: {error}") from error
        self._activate(adapter)

    def _begin(self, adapter: str, config: LoraConfig, seed: int) -> None:
        with torch.random.fork_rng(devices=[]), quiet():
            torch.manual_seed(seed)
            self._add(adapter, config)

    def parameters(self, adapter: str) -> dict[str, nn.Parameter]:
        """The adapter's parameters by module name, without the adapter's own name in it."""
        self._rest()
        parts = [(name.split("."), p) for name, p in self._host.named_parameters()]
        return {
            ".".join(part for part in name if part != adapter): parameter
            for name, parameter in parts
            if adapter in name
        }

    def config(self, adapter: str) -> LoraConfig:
        """The adapter's peft settings."""
        config = self._host.peft_config[adapter]
        assert isinstance(config, LoraConfig)
        return config

    def _targets(self, wanted: str | list[str]) -> tuple[str | list[str], list[str]]:
        """`lora.target_modules` as peft takes them, and what it would match besides."""
        chosen = targets(self._modules, wanted, without={}, head=None)
        return chosen, beside(self._modules, chosen)

    @abstractmethod
    def _add(self, adapter: str, config: LoraConfig) -> None:
        """Adds an adapter.

        Raises:
            ValueError: the settings do not fit the base.
        """

    @abstractmethod
    def _switch(self, adapter: str | None) -> None:
        """Makes one adapter active, or none; only called when there are some."""

    @abstractmethod
    def merge(self, adapter: str) -> nn.Module:
        """Makes one adapter a part of the base's weights, which have none then: these are done."""

    @abstractmethod
    def state(self, adapter: str) -> dict[str, Tensor]:
        """The adapter's weights, sharing memory, by the names the library saves them under."""

    @abstractmethod
    def save(self, adapter: str, folder: Path) -> None:
        """Writes the adapter into `folder`, as the library's own loader reads it."""

    @abstractmethod
    def read(self, folder: Path) -> SavedAdapter:
        """What `save` wrote.

        Raises:
            one of UNREADABLE: it is not there, or damaged.
        """
