"""What a model is shown: the prompt of a variable."""

import secrets
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:  # it imports torch
    from .pictures import Picture


class Illustrated(str):
    """A text with images in it; as a plain text, each of them stands as its name.

    It is equal to another that has the same texts and images, and to no plain text.
    """

    parts: "tuple[str | Picture, ...]"
    """Texts and images in turn."""

    __slots__ = ("parts",)

    def __new__(cls, parts: "Iterable[str | Picture]") -> "Illustrated":
        """The text of these parts; empty texts are left out."""
        kept = tuple(part for part in parts if not isinstance(part, str) or part)
        texts = (part if isinstance(part, str) else f"<{part.name}>" for part in kept)
        made = super().__new__(cls, "".join(texts))
        made.parts = kept
        return made

    @property
    def pictures(self) -> "tuple[Picture, ...]":
        """Its images, in order."""
        return tuple(part for part in self.parts if not isinstance(part, str))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Illustrated) and self.parts == other.parts

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash(self.parts)

    def __getnewargs__(self) -> "tuple[tuple[str | Picture, ...]]":  # type: ignore[override]
        return (self.parts,)


class ChatTurn(NamedTuple):
    """One message of a chat prompt, rendered; its content may be `Illustrated`."""

    role: str
    content: str


Context = str | tuple[ChatTurn, ...]
"""A plain text, which may be `Illustrated`, or messages."""


def pictures_of(context: Context) -> "tuple[Picture, ...]":
    """The images of a prompt, in order."""
    texts = [context] if isinstance(context, str) else [turn.content for turn in context]
    return tuple(p for text in texts if isinstance(text, Illustrated) for p in text.pictures)


_OPEN, _CLOSE = "\ue0f0", "\ue0f1"
_NONCE = str(secrets.randbits(64))
"""No text can have it in it: it is known to this process alone."""


def mark(picture: "Picture") -> str:
    """The text that stands for an image while a template is rendered; see `illustrated`.

    It has no letters, which a filter could change.
    """
    return f"{_OPEN}{_NONCE}.{int.from_bytes(picture.digest.encode())}{_CLOSE}"


def illustrated(text: str, marked: "Mapping[str, Picture]") -> str:
    """A rendered text with images in place of their marks.

    Args:
        marked: the images that may stand in it, by mark.
    """
    if _OPEN + _NONCE not in text:
        return text
    parts: list[str | Picture] = []
    while _OPEN + _NONCE in text:
        before, _, text = text.partition(_OPEN + _NONCE)
        number, _, text = text.partition(_CLOSE)
        parts += [before, marked[f"{_OPEN}{_NONCE}{number}{_CLOSE}"]]
    return Illustrated([*parts, text])
