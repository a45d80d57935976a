"""How a model's policy and reference relate to the shared base: one class per way of training.

Each gives the module to run under `policy()` and `reference()`, and `key(reference)`: requests with
equal keys run under the same weights, so one forward pass serves them all.
"""

import contextlib
from collections.abc import Hashable
from contextlib import AbstractContextManager
from copy import deepcopy
from pathlib import Path
from typing import Protocol

from peft import set_peft_model_state_dict
from peft.utils import load_peft_weights
from safetensors import SafetensorError
from torch import Tensor, nn

from sysgraph_schemas import CausalLM

from ...errors import InputError
from .resident import Resident, copy_weights, load_base


class Weights(Protocol):
    """A model's policy and reference weights."""

    resident: Resident

    def module(self, *, reference: bool) -> AbstractContextManager[nn.Module]:
        """The module with the policy's or the reference's weights in effect."""
        ...

    def key(self, *, reference: bool) -> Hashable:
        """Equal for requests that run under the same weights."""
        ...

    def parameters(self) -> dict[str, nn.Parameter]:
        """What is trained."""
        ...

    def set_reference(self, weights: dict[str, Tensor] | None) -> None:
        """Other reference weights than the ones before training, or (None) those."""
        ...

    def save(self, folder: Path) -> None: ...

    def load(self, folder: Path) -> None: ...


class Frozen:
    """The base as it is; policy and reference are one."""

    def __init__(self, resident: Resident) -> None:
        self.resident = resident

    def module(self, *, reference: bool) -> AbstractContextManager[nn.Module]:
        return self.resident.using(None)

    def key(self, *, reference: bool) -> Hashable:
        return id(self.resident)

    def parameters(self) -> dict[str, nn.Parameter]:
        return {}

    def set_reference(self, weights: dict[str, Tensor] | None) -> None:
        pass

    def save(self, folder: Path) -> None:
        pass

    def load(self, folder: Path) -> None:
        pass


class Adapter:
    """A LoRA adapter on the shared base. Reference: adapters off, or a second, frozen adapter."""

    def __init__(self, resident: Resident, name: str, spec: CausalLM, seed: int) -> None:
        self.resident = resident
        self._name, self._spec, self._seed = name, spec, seed
        self._reference: str | None = None
        resident.add_adapter(name, spec.lora, seed)

    def module(self, *, reference: bool) -> AbstractContextManager[nn.Module]:
        return self.resident.using(self._reference if reference else self._name)

    def key(self, *, reference: bool) -> Hashable:
        adapter = self._reference if reference else self._name
        return id(self.resident) if adapter is None else (id(self.resident), adapter)

    def parameters(self) -> dict[str, nn.Parameter]:
        return self.resident.adapter_parameters(self._name)

    def set_reference(self, weights: dict[str, Tensor] | None) -> None:
        if weights is None:
            self._reference = None
            return
        name = f"{self._name}__reference"
        if self._reference is None and not self.resident.has_adapter(name):
            self.resident.add_adapter(name, self._spec.lora, self._seed)
        self._reference = name
        copy_weights(self.resident.adapter_parameters(name), weights)

    def save(self, folder: Path) -> None:
        self.resident.save_adapter(self._name, folder)

    def load(self, folder: Path) -> None:
        try:
            weights = load_peft_weights(str(folder), device="cpu")
            outcome = set_peft_model_state_dict(self.resident.adapted, weights, self._name)
        except (OSError, ValueError, RuntimeError, SafetensorError) as error:
            raise InputError(f"{folder} is no adapter for model {self._name!r}: {error}") from error
        if outcome.unexpected_keys:
            raise InputError(
                f"{folder} does not fit model {self._name!r}: {outcome.unexpected_keys[0]}"
            )


class Full:
    """A trainable copy of every weight. Reference: the untouched shared base, or a frozen copy."""

    def __init__(self, resident: Resident, name: str, spec: CausalLM) -> None:
        self.resident = resident
        self._name = name
        self._policy = load_base(spec, resident.device).requires_grad_(True)
        self._policy.generation_config = deepcopy(resident.base.generation_config)
        self._reference: nn.Module | None = None

    def module(self, *, reference: bool) -> AbstractContextManager[nn.Module]:
        if not reference:
            return contextlib.nullcontext(self._policy)
        if self._reference is not None:
            return contextlib.nullcontext(self._reference)
        return self.resident.using(None)

    def key(self, *, reference: bool) -> Hashable:
        if not reference:
            return id(self._policy)
        return id(self.resident) if self._reference is None else id(self._reference)

    def parameters(self) -> dict[str, nn.Parameter]:
        return dict(self._policy.named_parameters())

    def set_reference(self, weights: dict[str, Tensor] | None) -> None:
        if weights is None:
            self._reference = None
            return
        if self._reference is None:
            self._reference = deepcopy(self._policy).requires_grad_(False)
        copy_weights(dict(self._reference.named_parameters()), weights)

    def save(self, folder: Path) -> None:
        self._policy.save_pretrained(str(folder))
        self.resident.tokenizer.save_pretrained(str(folder))

    def load(self, folder: Path) -> None:
        try:
            saved = type(self._policy).from_pretrained(str(folder))
        except (OSError, ValueError) as error:
            raise InputError(
                f"{folder} is no checkpoint for model {self._name!r}: {error}"
            ) from error
        weights = {name: p.detach() for name, p in saved.named_parameters()}
        copy_weights(self.parameters(), weights)
