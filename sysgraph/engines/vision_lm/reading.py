"""From prompts with images to ids and features, through a model's processor."""

from collections import OrderedDict
from collections.abc import Hashable, Sequence
from functools import partial
from typing import Any

from torch import Tensor
from transformers import PreTrainedTokenizerBase

from ...support.errors import InputError
from ...traces.pictures import Picture
from ...traces.prompt import ChatTurn, Context, Illustrated
from ..causal_lm.seen import Features, SeenIds, Sight, is_by_token
from ..causal_lm.tokens import encode_prompt
from ..checkpoints import shapes
from ..checkpoints.batching import Ids
from ..checkpoints.chat import chat_text
from ..checkpoints.probing import FAILURES
from .examples import example_pictures

_KEPT_BYTES = 2**28
"""Of features that are kept: a step needs them again."""
_MARKS = ("Sysgraph1", "Sysgraph2")
_UNREAD = ("input_ids", "attention_mask")


def _size(features: Features) -> int:
    """In bytes."""
    return sum(value.nbytes for value in features.values())


class Reader:
    """Reads prompts with images.

    Raises:
        InputError: it is not known how an image stands in a prompt.

    Attributes:
        image_token: what the processor takes for an image in a text.
        stand_ins: the ids that stand for images.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, processor: Any, config: Any) -> None:
        self._tokenizer, self._processor = tokenizer, processor
        token = getattr(processor, "image_token", None)
        if not isinstance(token, str) or not token:
            raise InputError("its processor has no token that stands for an image in a prompt")
        self.image_token = token
        named = (getattr(config, name, None) for name in ("image_token_id", "image_token_index"))
        known = [*named, tokenizer.convert_tokens_to_ids(token)]
        self.stand_ins = frozenset(i for i in known if isinstance(i, int))
        self._kept: OrderedDict[Hashable, tuple[Ids, Features]] = OrderedDict()
        self._bytes = 0
        self._in_chat = self._inlined_by_template()
        # In plain prompts it stands as the chat template has it between two texts, if it does.
        self._image = self._in_chat or self.image_token

    def prompt(self, pictures: Sequence[Picture]) -> SeenIds:
        """A plain prompt of nothing but images."""
        text = self._image * len(pictures)
        seen = tuple(pictures)
        ids = encode_prompt(self._tokenizer, text, partial(self.tokenize, seen))
        return self.seen(ids, text, seen, special=True)

    def inline(self, context: Context) -> Context:
        """A prompt with images as its processor takes it: where no template puts them, as text.

        Raises:
            InputError: one of its texts has in it what stands for an image.
        """
        texts = [context] if isinstance(context, str) else [turn.content for turn in context]
        parts = (p for t in texts for p in (t.parts if isinstance(t, Illustrated) else (t,)))
        odd = next((p for p in parts if isinstance(p, str) and self.image_token in p), None)
        if odd is not None:
            raise InputError(
                f"the prompt has {self.image_token!r} in its text ({odd!r:.60}), which stands for "
                "an image"
            )
        if isinstance(context, str):
            return self._as_text(context)
        if self._takes_parts:
            return context
        return tuple(ChatTurn(turn.role, self._as_text(turn.content)) for turn in context)

    def tokenize(self, pictures: Sequence[Picture], text: str, special: bool) -> Ids:
        """The ids of a text that has the images in it.

        Raises:
            InputError: it has not; or the processor does not take one of them.
        """
        return self._read(text, tuple(pictures), special)[0]

    def seen(self, ids: Ids, text: str, pictures: tuple[Picture, ...], special: bool) -> SeenIds:
        """A prompt's ids with what goes with them.

        Args:
            ids: of `text`, or what is left of them where what follows merges with its end.
        """
        features = self._features(ids, text, pictures, special)
        shape = tuple((name, *value.shape[1:]) for name, value in sorted(self._apart(features)))
        load = partial(self._features, ids, text, pictures, special)
        return SeenIds(ids, Sight(pictures, shape, self.stand_ins, load))

    def _apart(self, features: Features) -> list[tuple[str, Tensor]]:
        """Those that have nothing to do with how long the prompt is."""
        return [(name, value) for name, value in features.items() if not is_by_token(name, value)]

    def _features(
        self, ids: Ids, text: str, pictures: tuple[Picture, ...], special: bool
    ) -> Features:
        whole, features = self._read(text, pictures, special)
        start = next((s for s in range(len(whole)) if whole[s : s + len(ids)] == ids), 0)
        return {
            name: value[:, start:] if is_by_token(name, value) else value
            for name, value in features.items()
        }

    def _read(
        self, text: str, pictures: tuple[Picture, ...], special: bool
    ) -> tuple[Ids, Features]:
        key = text, pictures, special
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        with shapes.numbers():
            found = self._processed(text, pictures, special)
            ids: Ids = tuple(found["input_ids"][0].tolist())
        features = {k: v for k, v in found.items() if k not in _UNREAD and isinstance(v, Tensor)}
        self._kept[key] = ids, features
        self._bytes += _size(features)
        while len(self._kept) > 1 and self._bytes > _KEPT_BYTES:
            _, (_, oldest) = self._kept.popitem(last=False)
            self._bytes -= _size(oldest)
        return ids, features

    def _processed(self, text: str, pictures: tuple[Picture, ...], special: bool) -> Any:
        count = text.count(self.image_token)
        if count != len(pictures):
            raise InputError(
                f"the prompt has {len(pictures)} images and its text {count} times "
                f"{self.image_token!r}: the model's chat template leaves images out, or a text "
                "says it"
            )
        images = [picture.open() for picture in pictures]
        try:
            return self._processor(
                text=[text], images=[images], return_tensors="pt", add_special_tokens=special
            )
        except FAILURES as error:
            shown = ", ".join(f"{p.name} ({p.size[0]} x {p.size[1]})" for p in pictures)
            raise InputError(
                f"the model's processor does not take {shown}: {error!s:.300}"
            ) from error

    def _as_text(self, content: str) -> str:
        if not isinstance(content, Illustrated):
            return content
        return "".join(p if isinstance(p, str) else self._image for p in content.parts)

    def _inlined_by_template(self) -> str | None:
        """What the chat template writes for an image between two texts; None: nothing there."""
        self._takes_parts = False
        try:
            example = Illustrated([_MARKS[0], example_pictures()[0], _MARKS[1]])
            text = chat_text(self._tokenizer, [ChatTurn("user", example)])
        except InputError:
            return None
        self._takes_parts = self.image_token in text and all(mark in text for mark in _MARKS)
        between = text.partition(_MARKS[0])[2].partition(_MARKS[1])[0]
        return between.strip() if between.count(self.image_token) == 1 else None
