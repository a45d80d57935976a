"""One base checkpoint in memory, shared by every model that names it, and the adapters on it."""

import contextlib
import inspect
from collections.abc import Iterator
from pathlib import Path

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from torch import Tensor, nn
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel

from sysgraph_schemas import CausalLM, LoRA

from ... import toys
from ...errors import InputError
from ..seeding import derive
from .quiet import quiet


def load_base(spec: CausalLM, device: torch.device) -> PreTrainedModel:
    """The checkpoint's weights, frozen, in evaluation mode (DPO trains without dropout).

    Raises:
        InputError: `spec.id` is no checkpoint that can be loaded.
    """
    with _explained(spec):
        module = AutoModelForCausalLM.from_pretrained(
            source(spec), revision=spec.revision or "main", dtype=spec.dtype
        )
    return module.to(device).eval().requires_grad_(False)


def source(spec: CausalLM) -> str:
    """What `from_pretrained` takes: a toy's folder, or the id as it stands."""
    return str(toys.model_folder(spec.id)) if toys.is_toy(spec.id) else spec.id


@contextlib.contextmanager
def _explained(spec: CausalLM) -> Iterator[None]:
    try:
        with quiet():
            yield
    except (OSError, ValueError) as error:
        raise InputError(f"cannot load model id {spec.id!r}: {error}") from error


class Resident:
    """A base model, its tokenizer and its adapters."""

    def __init__(self, spec: CausalLM, device: torch.device) -> None:
        with _explained(spec):
            self.tokenizer = AutoTokenizer.from_pretrained(
                source(spec), revision=spec.revision or "main"
            )
        if self.tokenizer.eos_token_id is None:
            raise InputError(f"the tokenizer of {spec.id!r} has no end-of-sequence token")
        self.device = device
        self.base = load_base(spec, device)
        self.slim = "logits_to_keep" in inspect.signature(self.base.forward).parameters
        self.adapted: PeftModel | None = None
        pad = self.tokenizer.pad_token_id
        self.pad: int = self.tokenizer.eos_token_id if pad is None else pad
        self.ends = _ends(self.base, self.tokenizer.eos_token_id)
        # `generate` fills what a caller leaves open from here: a checkpoint's repetition penalty or
        # top_k would make samples come from another distribution than the one that is scored.
        self.base.generation_config = type(self.base.generation_config)()
        self._trained: dict[str, list[nn.Parameter]] = {}

    def window(self) -> int | None:
        """Longest sequence the model was made for, in tokens."""
        return getattr(self.base.config, "max_position_embeddings", None)

    def add_adapter(self, name: str, lora: LoRA, seed: int) -> None:
        """Adds a LoRA adapter; its initial weights depend on `name` and `seed` alone."""
        targets = lora.target_modules
        config = LoraConfig(
            r=lora.r,
            lora_alpha=lora.alpha,  # type: ignore[arg-type]
            target_modules=targets if isinstance(targets, str) else list(targets),
            task_type="CAUSAL_LM",
        )
        with torch.random.fork_rng(devices=[]), quiet():
            torch.manual_seed(derive(seed, name))
            if self.adapted is None:
                self.adapted = get_peft_model(self.base, config, adapter_name=name)
            else:
                self.adapted.add_adapter(name, config)
        self.adapted.eval().set_adapter(name)  # peft leaves gradients on for this adapter alone
        self._trained[name] = [p for p in self.adapted.parameters() if p.requires_grad]
        self._restore_gradients()

    def has_adapter(self, name: str) -> bool:
        """Whether `add_adapter` has made `name`."""
        return name in self._trained

    def adapter_parameters(self, name: str) -> dict[str, nn.Parameter]:
        """The adapter's parameters by module name, without the adapter's own name in it."""
        assert self.adapted is not None
        mine = {id(p) for p in self._trained[name]}
        return {
            key.replace(f".{name}.", "."): parameter
            for key, parameter in self.adapted.named_parameters()
            if id(parameter) in mine
        }

    @contextlib.contextmanager
    def using(self, adapter: str | None) -> Iterator[nn.Module]:
        """The module with one adapter active, or (None) the base with every adapter off."""
        if self.adapted is None:
            yield self.base
        elif adapter is None:
            with self.adapted.disable_adapter():
                self._restore_gradients()
                yield self.adapted
            self._restore_gradients()
        else:
            self.adapted.set_adapter(adapter)
            self._restore_gradients()
            yield self.adapted

    def _restore_gradients(self) -> None:
        # peft freezes every adapter that is not active. A step's graph spans all of them, and a
        # parameter that is frozen when the graph is walked back gets no gradient.
        for parameters in self._trained.values():
            for parameter in parameters:
                parameter.requires_grad_(True)

    def save_adapter(self, name: str, folder: Path) -> None:
        """Writes the adapter into `folder` as `PeftModel.from_pretrained` reads it."""
        assert self.adapted is not None
        self.adapted.save_pretrained(str(folder.parent), selected_adapters=[name])
        written = folder.parent / name
        if written != folder:
            written.rename(folder)


def copy_weights(target: dict[str, nn.Parameter], weights: dict[str, Tensor]) -> None:
    """Copies `weights` into the parameters of the same names.

    Raises:
        InputError: a name or shape differs.
    """
    if target.keys() != weights.keys():
        odd = sorted(target.keys() ^ weights.keys())
        raise InputError(f"saved weights do not fit the model: {', '.join(odd[:3])}")
    with torch.no_grad():
        for name, parameter in target.items():
            if parameter.shape != weights[name].shape:
                raise InputError(f"saved weights do not fit the model: shape of {name}")
            parameter.copy_(weights[name])


def _ends(base: PreTrainedModel, tokenizer_end: int) -> tuple[int, ...]:
    declared = getattr(base.generation_config, "eos_token_id", None)
    several = declared if isinstance(declared, list) else [declared]
    return tuple(dict.fromkeys([tokenizer_end, *(e for e in several if e is not None)]))
