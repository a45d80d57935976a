"""CLIP: how much more an image is like a text with the attribute than like one without."""

from collections.abc import Mapping, Sequence
from string import Formatter
from typing import Any, NamedTuple

import torch
from transformers import CLIPModel, CLIPProcessor

from ....support.device import default_device
from ....support.errors import InputError
from ....traces.pictures import Picture
from .base import Meter, text_field
from .checkpoint import load


class Texts(NamedTuple):
    """What images are compared with.

    `{attribute}` (by default an adjective), `{scene}` or any other field of the input row in braces
    stands for its text.
    """

    positive: str = "a {attribute} photo"
    negative: str = "a photo that is not {attribute}"


_OWN = Texts()


class Clip(Meter[tuple[str, str]]):
    """The softmax over an image's similarity to two texts, that of the positive one: 0 to 1.

    Args:
        id: a Hub id or a folder.
        texts: the one that images with the attribute are like, and the one that others are.

    Raises:
        InputError: it cannot be loaded, or a text has something else in braces.
    """

    def __init__(self, id: str, texts: Texts = _OWN, *, device: torch.device | None = None) -> None:
        own, named = _OWN._asdict(), texts._asdict()
        given = [f"{name}={text}" for name, text in named.items() if text != own[name]]
        super().__init__(f"clip:{id}" + ("?" + "&".join(given) if given else ""))
        self._templates = [(text, _fields_in(text)) for text in texts]
        self._device = device or default_device()
        self._model, self._processor = load(
            id, model=CLIPModel, processor=CLIPProcessor, what="CLIP model", device=self._device
        )

    def asked(self, fields: Mapping[str, Any]) -> tuple[str, str]:
        """The positive and the negative text of a row."""
        positive, negative = (self._filled(text, names, fields) for text, names in self._templates)
        return positive, negative

    def _filled(self, template: str, names: Sequence[str], fields: Mapping[str, Any]) -> str:
        text = template.format_map({name: text_field(fields, name) for name in names})
        limit = self._model.config.text_config.max_position_embeddings
        tokens = len(self._processor.tokenizer(text).input_ids)
        if tokens > limit:
            raise InputError(
                f"{text!r:.60} has {tokens} tokens, of which {self.name} reads {limit}"
            )
        return text

    def forward(self, pictures: Sequence[Picture], asked: Sequence[tuple[str, str]]) -> list[float]:
        """The share of each picture's positive text."""
        texts = list(dict.fromkeys(text for both in asked for text in both))
        inputs = self._processor(
            text=texts,
            images=[picture.open() for picture in pictures],
            return_tensors="pt",
            padding=True,
        )
        out = self._model(**inputs.to(self._device, self._model.dtype))
        where = torch.tensor([[texts.index(text) for text in both] for both in asked])  # (B, 2)
        logits = out.logits_per_image.float().cpu().gather(1, where)  # of (B, texts)
        shares: list[float] = logits.softmax(-1)[:, 0].tolist()
        return shares


def _fields_in(template: str) -> list[str]:
    """The names in braces.

    Raises:
        InputError: there is something else in braces, or a brace without its other.
    """
    try:
        parts = [part for part in Formatter().parse(template) if part[1] is not None]
    except ValueError as error:
        raise InputError(f"text {template!r}: {error}") from None
    for _, name, spec, conversion in parts:
        if not str(name).isidentifier() or spec or conversion:
            raise InputError(
                f"text {template!r}: {{{name}}} is no field; expected for example {{attribute}}"
            )
    return [str(name) for _, name, _, _ in parts]
