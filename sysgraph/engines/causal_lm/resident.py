"""One base checkpoint in memory, shared by every model that names it, and the adapters on it."""

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from peft import LoraConfig, LoraModel, PeftModel, get_peft_model, get_peft_model_state_dict
from safetensors import SafetensorError
from torch import Tensor, nn
from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig, PreTrainedModel

from sysgraph_schemas import CausalLM, LoRA

from ... import toys
from ...errors import InputError
from .quiet import quiet

# What transformers and safetensors raise for a folder that is no checkpoint, or a damaged one.
UNREADABLE = (OSError, ValueError, RuntimeError, SafetensorError)


def load_base(spec: CausalLM, device: torch.device) -> PreTrainedModel:
    """The checkpoint's weights, frozen, in evaluation mode (DPO trains without dropout).

    Raises:
        InputError: `spec.id` is no checkpoint that can be loaded.
    """
    with _explained(spec):
        module: PreTrainedModel = AutoModelForCausalLM.from_pretrained(
            source(spec), revision=spec.revision or "main", dtype=spec.dtype
        )
    module.requires_grad_(False).eval()
    nn.Module.to(module, device)
    return module


def source(spec: CausalLM) -> str:
    """What `from_pretrained` takes: a toy's folder, or the id as it stands."""
    return str(toys.model_folder(spec.id)) if toys.is_toy(spec.id) else spec.id


@contextlib.contextmanager
def _explained(spec: CausalLM) -> Iterator[None]:
    try:
        with quiet():
            yield
    except UNREADABLE as error:
        raise InputError(f"cannot load model id {spec.id!r}: {error}") from error


def take_generation_config(module: PreTrainedModel) -> GenerationConfig:
    """Takes the checkpoint's generation settings away from `module`, and returns them.

    `generate` fills what a caller leaves open from there: a checkpoint's repetition penalty or
    top_k would make samples come from another distribution than the one that is scored.
    """
    taken = module.generation_config
    module.generation_config = GenerationConfig()
    return taken


class Resident:
    """A base model, its tokenizer and its adapters.

    Raises:
        InputError: the checkpoint cannot be loaded, or its tokenizer never ends a text.
    """

    def __init__(self, spec: CausalLM, device: torch.device) -> None:
        with _explained(spec):
            self.tokenizer = AutoTokenizer.from_pretrained(
                source(spec), revision=spec.revision or "main"
            )
        end = self.tokenizer.eos_token_id
        if end is None:
            raise InputError(f"the tokenizer of {spec.id!r} has no end-of-sequence token")
        self.device = device
        self.base = load_base(spec, device)
        # The ids that the model knows may be more than its tokenizer has.
        self.vocabulary = self.base.get_input_embeddings().get_parameter("weight").shape[0]
        self.generation_config = take_generation_config(self.base)
        self.pad: int = end if self.tokenizer.pad_token_id is None else self.tokenizer.pad_token_id
        self.ends = _ends(self.generation_config, end)
        self._adapted: PeftModel | None = None
        self._active: str | None = None
        self._trained: list[nn.Parameter] = []

    def window(self) -> int | None:
        """Longest sequence the model was made for, in tokens."""
        return getattr(self.base.config.get_text_config(), "max_position_embeddings", None)

    def module(self, adapter: str | None) -> nn.Module:
        """The module with one adapter active, or (None) as the plain base, until the next call."""
        if self._adapted is None:
            return self.base
        if adapter != self._active:
            self._activate(adapter)
        return self._adapted

    def _activate(self, adapter: str | None) -> None:
        assert self._adapted is not None
        # Not `PeftModel.disable_adapter`, which surveys every module for its report on each call.
        tuner = self._adapted.base_model
        assert isinstance(tuner, LoraModel)
        if adapter is None:
            tuner.disable_adapter_layers()
        else:
            tuner.enable_adapter_layers()
            self._adapted.set_adapter(adapter)
        self._active = adapter
        # peft freezes every adapter that is not active. A step's graph spans all of them, and a
        # parameter that is frozen when the graph is walked back gets no gradient.
        for parameter in self._adapted.parameters():
            parameter.requires_grad_(False)
        for parameter in self._trained:
            parameter.requires_grad_(True)

    def add_adapter(self, adapter: str, lora: LoRA, seed: int, *, trained: bool) -> None:
        """Adds a LoRA adapter; its initial weights depend on `lora` and `seed` alone.

        Raises:
            InputError: `lora.target_modules` names no module of the base.
        """
        targets = lora.target_modules
        config = LoraConfig(
            r=lora.r,
            lora_alpha=lora.alpha,  # type: ignore[arg-type]
            target_modules=targets if isinstance(targets, str) else list(targets),
            task_type="CAUSAL_LM",
        )
        with torch.random.fork_rng(devices=[]), quiet():
            torch.manual_seed(seed)
            try:
                if self._adapted is None:
                    self._adapted = get_peft_model(self.base, config, adapter_name=adapter)
                else:
                    self._adapted.add_adapter(adapter, config)
            except ValueError as error:
                raise InputError(f"`lora.target_modules`: {error}") from error
        self._adapted.eval()
        self._trained += self.adapter_parameters(adapter).values() if trained else ()
        self._activate(adapter)

    def adapter_parameters(self, adapter: str) -> dict[str, nn.Parameter]:
        """The adapter's parameters by module name, without the adapter's own name in it."""
        assert self._adapted is not None
        parts = [(name.split("."), p) for name, p in self._adapted.named_parameters()]
        return {
            ".".join(part for part in name if part != adapter): parameter
            for name, parameter in parts
            if adapter in name
        }

    def adapter_state(self, adapter: str) -> dict[str, Tensor]:
        """The adapter's weights, sharing memory, by the names peft saves them under."""
        state: dict[str, Tensor] = get_peft_model_state_dict(
            self._adapted, adapter_name=adapter, save_embedding_layers=False
        )
        return state

    def adapter_config(self, adapter: str) -> LoraConfig:
        """The adapter's peft settings."""
        assert self._adapted is not None
        config = self._adapted.peft_config[adapter]
        assert isinstance(config, LoraConfig)
        return config

    def save_adapter(self, adapter: str, folder: Path) -> None:
        """Writes the adapter into `folder` as `PeftModel.from_pretrained` reads it."""
        assert self._adapted is not None
        self._adapted.save_pretrained(
            str(folder.parent), selected_adapters=[adapter], save_embedding_layers=False
        )
        (folder.parent / adapter).rename(folder)  # peft names the folder after the adapter


def copy_weights(target: Mapping[str, Tensor], weights: Mapping[str, Tensor]) -> None:
    """Copies `weights` into the tensors of the same names; all of them, or none.

    Raises:
        InputError: a name or shape differs.
    """
    odd = sorted(target.keys() ^ weights.keys())
    odd += [k for k, t in target.items() if k in weights and t.shape != weights[k].shape]
    if odd:
        name = odd[0]
        sides = [
            f"{tuple(side[name].shape)}" if name in side else "nothing"
            for side in (weights, target)
        ]
        raise InputError(f"{len(odd)} weight(s) do not fit, as {name}: {sides[0]} for {sides[1]}")
    with torch.no_grad():
        for name, tensor in target.items():
            tensor.copy_(weights[name])


def _ends(config: GenerationConfig, tokenizer_end: int) -> tuple[int, ...]:
    declared = config.eos_token_id
    several = declared if isinstance(declared, list) else [declared]
    return tuple(dict.fromkeys([tokenizer_end, *(e for e in several if e is not None)]))
