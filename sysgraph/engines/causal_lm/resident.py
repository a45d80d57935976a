"""A causal LM in memory, and what sampling from it needs to know."""

from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, GenerationConfig, PreTrainedModel

from sysgraph_schemas import CausalLM

from ...errors import InputError
from ..checkpoints.resident import Resident
from .head import finish_of


class CausalLMResident(Resident):
    """A causal LM.

    Raises:
        InputError: the checkpoint cannot be loaded, or its tokenizer never ends a text.
    """

    _auto = AutoModelForCausalLM
    _task = "CAUSAL_LM"

    def __init__(self, spec: CausalLM, device: torch.device) -> None:
        super().__init__(spec, device)
        end = self.tokenizer.eos_token_id
        if end is None:
            raise InputError(f"the tokenizer of {spec.id!r} has no end-of-sequence token")
        # The ids that the model knows may be more than its tokenizer has.
        self.vocabulary = self.base.get_input_embeddings().get_parameter("weight").shape[0]
        self.pad: int = end if self.tokenizer.pad_token_id is None else self.tokenizer.pad_token_id
        self.ends = _ends(self._generation_config, end)
        self.finish = finish_of(self.base)

    def load(self) -> PreTrainedModel:
        """The checkpoint without its generation settings.

        `generate` fills what a caller leaves open from there: a checkpoint's repetition penalty or
        top_k would make samples come from another distribution than the one that is scored.
        """
        module = super().load()
        self._generation_config = module.generation_config
        module.generation_config = GenerationConfig()
        return module

    def save(self, module: Any, folder: Path) -> None:
        """Writes `module` with the checkpoint's own generation settings.

        `save_pretrained` would refuse those where they contradict each other, as some published
        ones do.
        """
        super().save(module, folder)
        self._generation_config.to_json_file(str(folder / "generation_config.json"))


def _ends(config: GenerationConfig, tokenizer_end: int) -> tuple[int, ...]:
    declared = config.eos_token_id
    several = declared if isinstance(declared, list) else [declared]
    return tuple(dict.fromkeys([tokenizer_end, *(e for e in several if e is not None)]))
