"""A vision-language model in memory."""

import hashlib
from collections.abc import Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForImageTextToText

from sysgraph_schemas import VisionLM

from ...support.errors import InputError
from ...support.quiet import quiet
from ...traces.prompt import Context, pictures_of
from ...traces.trace import Completion
from ..causal_lm.probe import Habits, probe_seen
from ..causal_lm.resident import CausalLMResident
from ..causal_lm.seen import SeenIds, shape_of, sight_of
from ..causal_lm.tokens import Encoded, encode, encode_prompt, prompt_text
from ..checkpoints.batching import Ids
from ..checkpoints.processors import save_processor
from .examples import example_pictures
from .processor import load_processor
from .reading import Reader


class VisionLMResident(CausalLMResident):
    """A vision-language model: a causal LM, and what makes its inputs of images.

    Raises:
        InputError: it cannot be loaded, or is no such model (see `probe` and `probe_seen`).

    Attributes:
        example: a prompt that is an image.
    """

    _auto = AutoModelForImageTextToText

    def __init__(self, spec: VisionLM, device: torch.device) -> None:
        super().__init__(spec, device)
        try:
            self._reader = Reader(self.tokenizer, self._processor, self.base.config)
            examples = [self._reader.prompt([picture]) for picture in example_pictures()]
            first = self.example = examples[0]
            alike = [one if shape_of(one) == shape_of(first) else first for one in examples]
            self._seen_habits = probe_seen(self.base, alike, self.vocabulary)
        except InputError as error:
            raise InputError(f"model id {spec.id!r}: {error}") from error
        # What stands for an image is read with its pixels alone: a text that it is drawn in ends.
        self.ends = tuple(dict.fromkeys([*self.ends, *sorted(self._reader.stand_ins)]))

    def _load_tokenizer(self) -> Any:
        self._processor = load_processor(self._source)
        tokenizer = self._processor.tokenizer
        if self._processor.chat_template:  # some checkpoints have it in a file of the processor's
            tokenizer.chat_template = self._processor.chat_template
        return tokenizer

    def habits_of(self, prompt: Ids) -> Habits:
        """How rows with such a prompt may be run."""
        return self.habits if sight_of(prompt) is None else self._seen_habits

    def encode_prompt(self, context: Context) -> Ids:
        """The ids of a prompt, with its images.

        Raises:
            InputError: as for `tokens.encode_prompt`, or its texts have in them what stands for
                an image.
        """
        if not pictures_of(context):
            return encode_prompt(self.tokenizer, context)
        given = self._reader.inline(context)
        read = partial(self._reader.tokenize, pictures_of(context))
        ids = encode_prompt(self.tokenizer, given, read)
        return self._with_sight(ids, given, context)

    def encode(self, context: Context, value: Completion, stop: Sequence[str]) -> Encoded:
        """As `tokens.encode`, with the images of the prompt."""
        pictures = pictures_of(context)
        if not pictures:
            return super().encode(context, value, stop)
        given = self._reader.inline(context)
        read = partial(self._reader.tokenize, pictures)
        row = encode(
            self.tokenizer,
            given,
            value,
            vocabulary=self.vocabulary,
            stop=stop,
            tokenize=read,
        )
        if self._reader.stand_ins & {*row.completion[:-1]}:
            raise InputError(f"the text has {self._reader.image_token!r} in it: {value.text!r:.60}")
        return row._replace(prompt=self._with_sight(row.prompt, given, context))

    def _with_sight(self, ids: Ids, given: Context, context: Context) -> SeenIds:
        text, special = prompt_text(self.tokenizer, given), isinstance(given, str)
        return self._reader.seen(ids, text, pictures_of(context), special)

    @cached_property
    def settings(self) -> str:
        """Tells how the base computes, and what is made of images before."""
        told = f"{super().settings} {self._processor.to_json_string()}"
        return hashlib.blake2b(told.encode(), digest_size=16).hexdigest()

    def save(self, module: Any, folder: Path) -> None:
        """Writes `module` with its processor, of which the tokenizer is a part."""
        super().save(module, folder)
        with quiet():
            save_processor(self._processor, folder)
