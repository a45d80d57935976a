"""A causal LM in memory, and what sampling from it needs to know."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import torch
from transformers import AutoModelForCausalLM, GenerationConfig, PreTrainedModel

from sysgraph_schemas.models.writer import Writer

from ...support.errors import InputError
from ...traces.prompt import Context
from ...traces.trace import Completion
from ..checkpoints.batching import Ids
from ..checkpoints.loading import Loaded
from ..checkpoints.resident import Resident
from ..checkpoints.turns import finished_turn
from ..checkpoints.vocabulary import vocabulary
from .attention import let_pack
from .head import finish_of
from .probe import Habits, probe
from .tokens import Encoded, encode, encode_prompt


class CausalLMResident(Resident):
    """A causal LM.

    Raises:
        InputError: the checkpoint cannot be loaded, its tokenizer never ends a text, or it is no
            causal language model (see `probe`).

    Attributes:
        vocabulary: number of ids that the model knows; its tokenizer may have fewer, or more.
        habits: how its rows may be run.
        ends: the ids that end a text.
        pad: the id that transformers writes behind an end; None: none that is not an end itself.
    """

    _auto: ClassVar[Any] = AutoModelForCausalLM
    _task = "CAUSAL_LM"

    def __init__(self, spec: Writer, device: torch.device) -> None:
        super().__init__(spec, device)
        end = self.tokenizer.eos_token_id
        if end is None:
            raise InputError(f"the tokenizer of {spec.id!r} has no end-of-sequence token")
        try:
            self.vocabulary = vocabulary(self.base)
            self.habits = probe(self.base, self.vocabulary)
        except InputError as error:
            raise InputError(f"model id {spec.id!r}: {error}") from error
        self.finish = finish_of(self.base)
        self.ends = _ends(self._generation_config, end, self._turn_end())
        pad = self.tokenizer.pad_token_id
        has_pad = pad is not None and pad < self.vocabulary and pad not in self.ends
        self.pad: int | None = pad if has_pad else None

    def habits_of(self, prompt: Ids) -> Habits:
        """How rows with such a prompt may be run: any, as this model reads texts alone."""
        del prompt
        return self.habits

    def encode_prompt(self, context: Context) -> Ids:
        """See `tokens.encode_prompt`."""
        return encode_prompt(self.tokenizer, context)

    def encode(self, context: Context, value: Completion, stop: Sequence[str]) -> Encoded:
        """See `tokens.encode`."""
        return encode(self.tokenizer, context, value, vocabulary=self.vocabulary, stop=stop)

    def load(self) -> PreTrainedModel:
        """As `Resident.load`; it is run as the base is."""
        module = super().load()
        if self.habits.packs:
            let_pack(module)
        return module

    def _turn_end(self) -> int | None:
        """What the chat template ends a turn with, whatever else says so."""
        turn = finished_turn(self.tokenizer)
        if turn is None or turn.end is None or turn.end >= self.vocabulary:
            return None
        return turn.end

    def _prepared(self, loaded: Loaded) -> PreTrainedModel:
        """The checkpoint without its generation settings.

        `generate` fills what a caller leaves open from there: a checkpoint's repetition penalty or
        top_k would make samples come from another distribution than the one that is scored.
        """
        module = super()._prepared(loaded)
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


def _ends(config: GenerationConfig, tokenizer_end: int, turn_end: int | None) -> tuple[int, ...]:
    declared = config.eos_token_id
    several = declared if isinstance(declared, list) else [declared]
    known = (e for e in (*several, turn_end) if e is not None)
    return tuple(dict.fromkeys([tokenizer_end, *known]))
