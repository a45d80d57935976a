"""`kind: diffusion`."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from .base import Bound, Checkpoint, Gives, Likelihood, Noise
from .diffusion_lora import DiffusionLoRA
from .diffusion_objective import DiffusionObjective


class Diffusion(Checkpoint):
    """A text-to-image diffusion pipeline, loaded by diffusers. Its term is a bound on log p."""

    noun: ClassVar[str] = "a diffusion model"
    likelihood: ClassVar[Likelihood] = "bound"
    gives: ClassVar[tuple[Gives, ...]] = ("image",)

    kind: Annotated[Literal["diffusion"], Field(examples=["diffusion"])] = "diffusion"
    """A text-to-image diffusion pipeline: Stable Diffusion or Stable Diffusion XL."""
    lora: Annotated[DiffusionLoRA, Field(examples=[{"r": 16, "alpha": 32}])] = DiffusionLoRA()
    """The adapter's settings, for `train: lora`; the UNet alone is trained."""
    inference_steps: Annotated[int, Field(ge=1, le=10_000, examples=[50])] = 50
    """Denoising steps of sampling."""
    guidance_scale: Annotated[float, Field(ge=0, examples=[7.5])] = 7.5
    """Classifier-free guidance of sampling; 1 and less are none. Likelihoods never have any."""
    scheduler: Annotated[Literal["ddim", "pipeline"], Field(examples=["ddim"])] = "ddim"
    """Sampler of images: DDIM, or the scheduler that the pipeline comes with."""
    height: Annotated[int | None, Field(ge=1, le=16_384, examples=[512])] = None
    """Height of images in pixels; absent: what the UNet was trained on."""
    width: Annotated[int | None, Field(ge=1, le=16_384, examples=[512])] = None
    """Width of images in pixels; absent: what the UNet was trained on."""
    objective: Annotated[
        DiffusionObjective, Field(examples=[{"preset": "diffusion_dpo", "draws": 2}])
    ] = DiffusionObjective()
    """What an image's denoising errors count in the system's log-likelihood."""

    @property
    def noise(self) -> Noise:
        """Timesteps and noises of its images."""
        said = self.objective
        return Noise(said.draws, said.bank, said.timesteps)

    @property
    def bound(self) -> Bound:
        """Its denoising errors."""
        said = self.objective
        return Bound(said.constant, said.weighting, said.reducing, said.draws)
