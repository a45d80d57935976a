"""Adapters on a checkpoint of transformers, as peft adds and stores them."""

import json
import re
from collections.abc import Collection
from pathlib import Path

from peft import LoraConfig, LoraModel, PeftModel, get_peft_model, get_peft_model_state_dict
from peft.tuners.tuners_utils import _check_lora_target_modules_mamba
from peft.utils.transformers_weight_conversion import (  # type: ignore[attr-defined]
    _MODEL_TO_CONVERSION_PATTERN,
    _MOE_TARGET_MODULE_MAPPING,
)
from safetensors.torch import load_file
from torch import Tensor, nn
from transformers import PreTrainedModel

from ...support.quiet import quiet
from .adapters import Adapters, SavedAdapter
from .reach import unreached
from .targets import ALL_LINEAR, LAYERS, Modules, beside, targets

_UNREACHED = (
    "no gradient comes back to it from a text (it reads images or sound, serves another task, or "
    "runs in a way of its own)"
)
_WHOLE = "it is the classifier's head, which is trained whole beside the adapter"


class PeftAdapters(Adapters):
    """Adapters in a `PeftModel`, which wraps the base from the first one on.

    Args:
        base: a model of transformers, frozen.
        task_type: what peft calls its task.
        exclude_modules: a pattern of the names of modules that are trained whole, beside.
    """

    def __init__(
        self, base: PreTrainedModel, *, task_type: str, exclude_modules: str | None
    ) -> None:
        super().__init__(base, task_type=task_type)
        self._base, self._whole = base, exclude_modules or r"(?!)"
        # Layers that get no adapter, and why; found with the first one: it takes a forward pass.
        self._without: dict[str, str] | None = None

    def _targets(self, wanted: str | list[str]) -> tuple[str | list[str], list[str]]:
        if self._without is None:
            self._without = {
                **dict.fromkeys(unreached(self._base, self._modules), _UNREACHED),
                **_refused_by_peft(self._base, self._modules),
                **{n: _WHOLE for n in self._modules if re.fullmatch(self._whole, n)},
            }
        fused = _fused(self._base)
        chosen = targets(
            self._modules, wanted, without=self._without, head=self._head(), fused=fused
        )
        if wanted == ALL_LINEAR and fused:  # peft adds the experts itself
            return ALL_LINEAR, [n for n in self._without if isinstance(self._modules[n], LAYERS)]
        return chosen, beside(self._modules, chosen)

    def _head(self) -> str | None:
        """The name of the output layer."""
        output = self._base.get_output_embeddings()
        return next((name for name, module in self._modules.items() if module is output), None)

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

    def merge(self, adapter: str) -> nn.Module:
        """The base, with the adapter merged into it."""
        with quiet():
            merged: nn.Module = self._host.merge_and_unload(adapter_names=[adapter])
        return merged

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


def _refused_by_peft(base: PreTrainedModel, modules: Modules) -> dict[str, str]:
    """Layers that peft adapts in no model of the base's architecture, and its words on them."""
    found = {}
    for name in modules:
        try:
            _check_lora_target_modules_mamba(LoraConfig(), base, name.rpartition(".")[2])
        except ValueError as error:
            found[name] = str(error)
    return found


def _fused(base: PreTrainedModel) -> Collection[str]:
    """Names by which peft means experts that the base keeps in one tensor, if it does.

    Before version 5 of transformers they were layers of these names.
    """
    kind = _MODEL_TO_CONVERSION_PATTERN.get(str(base.config.model_type))
    names = _MOE_TARGET_MODULE_MAPPING.get(str(kind), {})
    parameters = tuple(f".{new}" for new in names.values())
    return names if any(n.endswith(parameters) for n, _ in base.named_parameters()) else {}
