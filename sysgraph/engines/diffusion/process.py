"""What engines ask of a pipeline, whichever way it was trained: noise, prediction, and drawing."""

from collections.abc import Hashable, Sequence
from typing import Protocol

from torch import Tensor, nn

from sysgraph_schemas import Diffusion
from sysgraph_schemas.models.diffusion_objective import DiffusionObjective

from .autoencoder import Autoencoder
from .prompts import Prompt, Taken

Size = tuple[int, int]
"""Height and width in pixels."""


class Process(Protocol):
    """From images to noise and back. A level says how much noise: a timestep, or a sigma."""

    autoencoder: Autoencoder
    steps: int
    """The timesteps that it was trained with, and that can be sampled."""
    is_flow: bool
    """Trained by flow matching."""
    taken: Taken
    """How many pictures a prompt has: none, of a pipeline that does not edit."""
    blank: Prompt
    """One that it can be asked to draw."""

    def most_rows(self, prompt: Prompt) -> int | None:
        """Rows with such prompts that the denoiser takes at once; None: any number."""
        ...

    def require(self, name: str, spec: Diffusion) -> None:
        """Refuses what the pipeline has no use for.

        Raises:
            InputError: a setting of the model means nothing to it.
        """
        ...

    def settings(self) -> tuple[object, ...]:
        """What of it a value depends on, beside the pipeline's parts and their configurations."""
        ...

    def size(self, name: str, spec: Diffusion) -> Size:
        """The size of a model's images.

        Raises:
            InputError: the pipeline cannot draw it, or says none of its own where none is given.
        """
        ...

    def levels(self, noise: Sequence[int], objective: DiffusionObjective) -> list[float]:
        """How much noise each draw of one image has, by the draws' seeds."""
        ...

    def weights(self, levels: Sequence[float], objective: DiffusionObjective) -> Tensor:
        """W by which the errors at these levels count: [B], float32, CPU."""
        ...

    def noised(
        self, latents: Tensor, noise: Tensor, levels: Sequence[float]
    ) -> tuple[Tensor, Tensor]:
        """Noised latents, and what the denoiser should predict of them: [B, ...] each."""
        ...

    def noise_of(self, seed: int, shape: Sequence[int], size: Size) -> Tensor:
        """The noise that an image was drawn from: [*shape], float32, CPU."""
        ...

    def predicted(
        self,
        module: nn.Module,
        latents: Tensor,
        levels: Sequence[float],
        prompts: Sequence[Prompt],
        *,
        size: Size,
        guidance: float | None,
    ) -> Tensor:
        """What `module` predicts of noised latents [B, ...]; see `guidance_told`."""
        ...

    def guidance_told(self, spec: Diffusion) -> float | None:
        """The guidance that a distilled denoiser takes as an input; None: it takes none."""
        ...

    def runs(self, spec: Diffusion) -> int:
        """How often a step of sampling runs each image: twice under guidance by a caption."""
        ...

    def drawn(
        self,
        module: nn.Module,
        prompts: Sequence[Prompt],
        seeds: Sequence[int],
        *,
        spec: Diffusion,
        size: Size,
    ) -> Tensor:
        """Latents [B, ...] of one image a prompt; a seed has all randomness of its row."""
        ...

    def alike(self, prompt: Prompt) -> Hashable:
        """Equal for prompts that the denoiser takes in one batch."""
        ...

    def lost(self, caption: str) -> tuple[int, int, str] | None:
        """A caption's tokens, how many are read, and the text that is not; None if all is read."""
        ...
