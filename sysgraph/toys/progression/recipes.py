"""What the models of the world "progression" are made of."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

from ..recipe import LanguageRecipe, Recipe
from . import measures, world

LETTERS = ("a", "b", "c")
"""What pictures are called that are shown together."""


@dataclass(frozen=True)
class CaptionerRecipe(LanguageRecipe):
    """A language model that writes three captions, not always in the order asked for.

    With probability `ascending` the three intensities are drawn in strictly growing order, else
    independently, all evenly. A caption is of another attribute with probability `slip`. With
    probability `miscount` there are two or four captions, which no parser for three accepts.
    """

    ascending: float = 0.35
    slip: float = 0.03
    miscount: float = 0.04
    context: int = 96

    def world(self) -> list[Any]:
        """Captions, and the prompts that are held out."""
        attributes = [asdict(attribute) for attribute in world.ATTRIBUTES]
        asked = [prompt.text for prompt in world.prompts("test")]
        return [attributes, world.SCENES, world.LEVELS, world.STYLES, asked]

    def build(self, folder: Path, on_step: Callable[[], None]) -> None:
        """Writes a transformers checkpoint."""
        from .captioner import build

        build(self, folder, on_step)


@dataclass(frozen=True)
class PainterRecipe(Recipe):
    """A small pipeline of Stable Diffusion's classes that takes captions' intensity loosely.

    In its training pictures the attribute lies around what the caption says, with standard
    deviation `looseness`; so what it draws for "very bright" is bright more often than not.
    """

    looseness: float = 0.32
    caption_dropout: float = 0.1
    images: int = 6144
    groups: int = 4  # of group normalization
    vae_channels: tuple[int, ...] = (8, 16, 32)  # two halvings: 32 -> 8
    vae_steps: int = 480
    vae_batch: int = 32
    vae_learning_rate: float = 4e-3
    latent_channels: int = 4
    text_width: int = 32
    text_length: int = 16
    unet_channels: tuple[int, ...] = (24, 32)
    unet_steps: int = 1200
    unet_batch: int = 64
    unet_learning_rate: float = 3e-3

    duration: ClassVar[str] = "some minutes"

    @property
    def total_steps(self) -> int:
        """Steps of the autoencoder and of the denoiser."""
        return self.vae_steps + self.unet_steps

    def world(self) -> list[Any]:
        """Captions, and what pictures look like."""
        attributes = [asdict(attribute) for attribute in world.ATTRIBUTES]
        return [attributes, world.SCENES, world.LEVELS, measures.RANGES]

    def build(self, folder: Path, on_step: Callable[[], None]) -> None:
        """Writes a diffusers pipeline.

        Raises:
            InputError: diffusers is not installed.
        """
        from ...support.quiet_diffusers import quiet  # first: it says what to install

        with quiet():
            from .painter import build
        build(self, folder, on_step)


@dataclass(frozen=True)
class EditorRecipe(PainterRecipe):
    """A small pipeline of InstructPix2Pix's classes that takes the intensity asked for loosely.

    In its training pictures all but the attribute stays as it was, which lies around what the
    caption says as a painter's does.
    """

    def build(self, folder: Path, on_step: Callable[[], None]) -> None:
        """Writes a diffusers pipeline.

        Raises:
            InputError: diffusers is not installed.
        """
        from ...support.quiet_diffusers import quiet  # first: it says what to install

        with quiet():
            from .editor import build
        build(self, folder, on_step)


@dataclass(frozen=True)
class ViewerRecipe(Recipe):
    """A small vision-language model that is shown pictures and says which has most of an attribute.

    In its training answers, a picture is named in proportion to exp(certainty * attribute): with
    pictures that differ as those do that it is shown, the right one more often than not.
    """

    certainty: float = 4.0
    pictures: int = 1024
    hidden_size: int = 64
    layers: int = 2
    heads: int = 4
    context: int = 160
    patch: int = 8
    init_std: float = 0.1
    steps: int = 500
    batch: int = 24
    learning_rate: float = 3e-3

    duration: ClassVar[str] = "about a minute"

    @property
    def total_steps(self) -> int:
        """Steps of pretraining."""
        return self.steps

    def world(self) -> list[Any]:
        """Prompts, and what pictures look like."""
        attributes = [asdict(attribute) for attribute in world.ATTRIBUTES]
        return [attributes, world.SCENES, measures.RANGES, world.STYLES, LETTERS]

    def build(self, folder: Path, on_step: Callable[[], None]) -> None:
        """Writes a checkpoint of a LLaVA, with its processor."""
        from .viewer import build

        build(self, folder, on_step)
