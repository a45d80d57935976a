"""Adapters on a checkpoint of transformers, as peft adds and stores them."""

import json
from pathlib import Path

from peft import LoraConfig, LoraModel, PeftModel, get_peft_model, get_peft_model_state_dict
from safetensors.torch import load_file
from torch import Tensor

from .adapters import Adapters, SavedAdapter


class PeftAdapters(Adapters):
    """Adapters in a `PeftModel`, which wraps the base from the first one on."""

    def _add(self, adapter: str, config: LoraConfig) -> None:
        if isinstance(self._host, PeftModel):
            self._host.add_adapter(adapter, config)
        else:
            self._host = get_peft_model(self._host, config, adapter_name=adapter)
        self._host.eval()

    def _switch(self, adapter: str | None) -> None:
        # Not `PeftModel.disable_adapter`, which surveys every module for its report on each call.
        tuner = self._host.base_model
        assert isinstance(tuner, LoraModel)
        if adapter is None:
            tuner.disable_adapter_layers()
        else:
            tuner.enable_adapter_layers()
            self._host.set_adapter(adapter)

    def state(self, adapter: str) -> dict[str, Tensor]:
        """The adapter's weights, sharing memory, by the names peft saves them under."""
        state: dict[str, Tensor] = get_peft_model_state_dict(
            self._host, adapter_name=adapter, save_embedding_layers=False
        )
        return state

    def save(self, adapter: str, folder: Path) -> None:
        """Writes the adapter into `folder` as `PeftModel.from_pretrained` reads it."""
        self._host.save_pretrained(
            str(folder.parent), selected_adapters=[adapter], save_embedding_layers=False
        )
        (folder.parent / adapter).rename(folder)  # peft names the folder after the adapter

    def read(self, folder: Path) -> SavedAdapter:
        """The adapter in a folder of peft's."""
        settings = dict(json.loads((folder / "adapter_config.json").read_text("utf-8")))
        return SavedAdapter(load_file(folder / "adapter_model.safetensors"), settings)
