"""`kind: diffusion`."""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from .base import Bound, Checkpoint, Gives, Likelihood, Noise
from .diffusion_lora import DiffusionLoRA
from .diffusion_objective import DiffusionObjective


class Diffusion(Checkpoint):
    """A diffusion pipeline that draws or edits, loaded by diffusers; a bound stands for log p."""

    noun: ClassVar[str] = "a diffusion model"
    likelihood: ClassVar[Likelihood] = "bound"
    gives: ClassVar[tuple[Gives, ...]] = ("image",)
    lacks: ClassVar[Mapping[str, str]] = {
        "load_in": "diffusers quantizes no pipeline without a GPU, so it is not supported"
    }
    reads_images: ClassVar[bool] = True

    kind: Annotated[Literal["diffusion"], Field(examples=["diffusion"])] = "diffusion"
    """A diffusion pipeline that draws an image from a caption: Stable Diffusion or Stable Diffusion
    XL, or one that is trained by flow matching, as Stable Diffusion 3.5, FLUX.1, Qwen-Image or
    Z-Image. Or one that edits a picture by an instruction: InstructPix2Pix, FLUX.1 Kontext,
    Qwen-Image-Edit."""
    lora: Annotated[DiffusionLoRA, Field(examples=[{"r": 16, "alpha": 32}])] = DiffusionLoRA()
    """The adapter's settings, for `train: lora`; the UNet or transformer alone is trained."""
    inference_steps: Annotated[int, Field(ge=1, le=10_000, examples=[50])] = 50
    """Denoising steps of sampling."""
    guidance_scale: Annotated[float | None, Field(ge=0, examples=[7.5])] = None
    """Classifier-free guidance of sampling; 1 and less are none. Likelihoods never have any. A
    distilled pipeline (FLUX.1 dev) has a number instead that its transformer is told, in sampling
    and in likelihoods alike. Absent: 7.5, or of a flow what its pipeline takes by default."""
    image_guidance_scale: Annotated[float | None, Field(ge=0, examples=[1.5])] = None
    """Guidance of sampling by the picture that InstructPix2Pix edits: more keeps more of it.
    Absent: 1.5. No other pipeline has it."""
    scheduler: Annotated[Literal["ddim", "pipeline"] | None, Field(examples=["ddim"])] = None
    """Sampler of images: DDIM, or the scheduler that the pipeline comes with. Absent: DDIM, or of a
    flow the pipeline's, which alone it can have."""
    height: Annotated[int | None, Field(ge=1, le=16_384, examples=[512])] = None
    """Height of images in pixels; absent: what the pipeline was trained on."""
    width: Annotated[int | None, Field(ge=1, le=16_384, examples=[512])] = None
    """Width of images in pixels; absent: what the pipeline was trained on."""
    objective: Annotated[
        DiffusionObjective, Field(examples=[{"preset": "diffusion_dpo", "draws": 2}])
    ] = DiffusionObjective()
    """What an image's denoising errors count in the system's log-likelihood."""

    @property
    def noise(self) -> Noise:
        """Timesteps and noises of its images."""
        said = self.objective
        return Noise(said.draws, said.bank, said.shared)

    @property
    def bound(self) -> Bound:
        """Its denoising errors."""
        said = self.objective
        return Bound(said.constant, said.weighting, said.reducing, said.draws, said.drawing)
