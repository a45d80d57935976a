"""What a pipeline is asked to draw: a caption, or an instruction and what it is to be done to."""

from collections.abc import Sequence
from typing import NamedTuple

from PIL import Image

from ...traces.pictures import Picture
from ...traces.prompt import Illustrated


class Prompt(NamedTuple):
    """A rendered prompt of a diffusion node."""

    caption: str
    """What it says; of a pipeline that edits, the instruction."""
    pictures: tuple[Picture, ...] = ()
    """The pictures in it, in order."""


def prompt_of(context: str) -> Prompt:
    """Texts and pictures of a prompt, apart: where a picture stands in a text, no pipeline sees.

    >>> prompt_of("a red fox")
    Prompt(caption='a red fox', pictures=())
    """
    if not isinstance(context, Illustrated):
        return Prompt(context)
    texts = (part.strip() for part in context.parts if isinstance(part, str))
    return Prompt(" ".join(text for text in texts if text), context.pictures)


def example(side: int) -> Picture:
    """A grey square, to ask a pipeline what it does with pictures."""
    return Picture.of(Image.new("RGB", (side, side), (127, 127, 127)))


class Taken(NamedTuple):
    """How many pictures the prompts of a pipeline have."""

    least: int = 0
    most: int | None = 0
    """None: any number."""
    side: int = 1
    """The least side of a picture, in pixels."""

    def too_small(self, pictures: Sequence[Picture], kind: str) -> str | None:
        """Why one of the pictures cannot be edited, or None.

        Args:
            kind: the pipeline's class.
        """
        small = next((p for p in pictures if min(p.size) < self.side), None)
        if small is None:
            return None
        shape = " x ".join(map(str, small.size))
        return f"{small.name} is {shape} pixels, and a {kind} edits none under {self.side} a side"

    def problem(self, count: int, kind: str) -> str | None:
        """Why a prompt with so many pictures cannot be drawn, or None.

        Args:
            kind: the pipeline's class.
        """
        if count < self.least:
            return (
                f"a {kind} edits a picture, and there is none in the prompt: put one in, "
                '`prompt: "{{ picture }} {{ instruction }}"`, that an input of type image or '
                "another diffusion node gives"
            )
        if self.most is None or count <= self.most:
            return None
        if not self.most:
            return (
                f"a {kind} draws from captions alone, and there is a picture in the prompt: take "
                "it out, or take a pipeline that edits, as StableDiffusionInstructPix2PixPipeline, "
                "FluxKontextPipeline, QwenImageEditPipeline and QwenImageEditPlusPipeline"
            )
        one = "one picture" if self.most == 1 else f"{self.most} pictures"
        return f"a {kind} edits {one}, and there are {count} in the prompt"
