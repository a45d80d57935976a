"""Adapters on a pipeline's UNet or transformer, as diffusers adds and stores them."""

import json
import warnings
from pathlib import Path
from typing import Any

from diffusers.utils.state_dict_utils import convert_state_dict_to_diffusers
from peft import LoraConfig, get_peft_model_state_dict
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor, nn

from sysgraph_schemas import LoRA

from ...support.errors import InputError
from ...support.quiet_diffusers import quiet
from ..checkpoints.adapters import Adapters, SavedAdapter
from .families import Family

_FILE = "pytorch_lora_weights.safetensors"


class DenoiserAdapters(Adapters):
    """Adapters in the layers of the denoiser itself, in float32 whatever the denoiser's type.

    Args:
        denoiser: gets the adapters.
        family: has the class that reads and writes them.
    """

    def __init__(self, denoiser: nn.Module, family: Family) -> None:
        super().__init__(denoiser)
        self._family = family
        self._before = f"{family.denoiser}."
        """What diffusers puts before names of weights and settings: a file can hold more parts."""

    def add(self, adapter: str, lora: LoRA, seed: int, *, trained: bool) -> None:
        """As for all adapters.

        Raises:
            InputError: diffusers has no LoRA for the pipeline, or a setting does not fit.
        """
        if not hasattr(self._family.kind, "save_lora_weights"):
            name = self._family.kind.__name__
            raise InputError(f"diffusers has no LoRA for a {name}: set `train: full`")
        super().add(adapter, lora, seed, trained=trained)

    def _add(self, adapter: str, config: LoraConfig) -> None:
        with quiet(), warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Already found a `peft_config`")  # another adapter
            self._host.add_adapter(config, adapter)
        for parameter in self.parameters(adapter).values():  # peft gives them the base's type
            parameter.data = parameter.data.float()

    def _switch(self, adapter: str | None) -> None:
        if adapter is None:
            self._host.disable_adapters()
        else:
            self._host.enable_adapters()
            self._host.set_adapter(adapter)

    def merge(self, adapter: str) -> nn.Module:
        """The denoiser, with the adapter merged into it."""
        with quiet():
            self._host.fuse_lora(adapter_names=[adapter])
            self._host.unload_lora()
        denoiser: nn.Module = self._host
        return denoiser

    def state(self, adapter: str) -> dict[str, Tensor]:
        """The adapter's weights, sharing memory, by the names diffusers saves them under."""
        return {
            f"{self._before}{name}": weight for name, weight in self._plain_state(adapter).items()
        }

    def _plain_state(self, adapter: str) -> dict[str, Tensor]:
        """By the names of diffusers' training examples: peft's own, but of UNets the older ones."""
        state: dict[str, Tensor] = get_peft_model_state_dict(self._host, adapter_name=adapter)
        return state if self._family.is_flow else convert_state_dict_to_diffusers(state)

    def save(self, adapter: str, folder: Path) -> None:
        """Writes the adapter into `folder` as `pipeline.load_lora_weights` reads it."""
        settings = self.config(adapter).to_dict()
        # As JSON has them: peft keeps module names as a set.
        plain = {k: sorted(v) if isinstance(v, set) else v for k, v in settings.items()}
        part = self._family.denoiser
        given: dict[str, Any] = {
            f"{part}_lora_layers": self._plain_state(adapter),
            f"{part}_lora_adapter_metadata": plain,
        }
        with quiet():
            self._family.kind.save_lora_weights(folder, **given)

    def read(self, folder: Path) -> SavedAdapter:
        """The adapter in a file of diffusers', which may lack the settings."""
        weights = load_file(folder / _FILE)
        with safe_open(folder / _FILE, framework="pt") as file:
            metadata = (file.metadata() or {}).get("lora_adapter_metadata", "{}")
        settings = dict(json.loads(metadata)).items()
        ours = {k.removeprefix(self._before): v for k, v in settings if k.startswith(self._before)}
        return SavedAdapter(weights, ours)
