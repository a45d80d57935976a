"""`objective:` of a diffusion model: what one image's denoising errors count in nats."""

from typing import Annotated, ClassVar, Literal, NamedTuple

from pydantic import Field

from ..spec import Spec

Weight = Literal["constant", "ddpm"]
Reduction = Literal["mean", "sum"]


class Convention(NamedTuple):
    """How published code turns denoising errors into what stands inside the sigmoid."""

    weight: Weight
    reduction: Reduction
    scale: float | None
    """None: T, the number of training timesteps."""
    factor: float
    """What the published code multiplies its own scale by."""


CONVENTIONS: dict[str, Convention] = {
    # github.com/SalesforceAIResearch/DiffusionDPO, train.py: scale_term = -0.5 * beta_dpo
    "diffusion_dpo": Convention("constant", "mean", 5000.0, 0.5),
    # github.com/huggingface/diffusers, examples/research_projects/diffusion_dpo: beta_dpo * logits
    "diffusers": Convention("constant", "mean", 2500.0, 1.0),
    # Wallace et al. 2023, eq. 13 and 14; SysDPO, appendix D
    "derivation": Convention("ddpm", "sum", None, 1.0),
}


class DiffusionObjective(Spec):
    """The term of an image: -factor * scale * mean over draws of w_t * error(z_t, t, caption).

    A draw is a timestep t and a noise; the error is that of the model's prediction. These nats are
    added to those of the system's other models, and `fit.beta` multiplies the sum: a published loss
    is this one at `fit.beta: 1`, and with `fit.beta: b` it takes a scale of 1/b of the published.
    """

    noun: ClassVar[str] = "`objective`"

    preset: Annotated[
        Literal["diffusion_dpo", "diffusers", "derivation"], Field(examples=["diffusion_dpo"])
    ] = "diffusion_dpo"
    """Whose convention. `diffusion_dpo`: the paper's code, scale/2 times the mean squared error,
    scale its `--beta_dpo` (5000). `diffusers`: the library's example, scale times the mean squared
    error, scale its `--beta_dpo` (2500): an equal number counts twice as much as in
    `diffusion_dpo`. `derivation`: T times w_t times the squared error summed over the latent, the
    variational bound itself; on Stable Diffusion 1.5 about 40 times as much as the other two."""
    weight: Annotated[Weight | None, Field(examples=["constant"])] = None
    """w_t. `constant`: 1, on what the model predicts (noise, velocity or sample); `ddpm`: the
    weight of the variational bound, on the noise. Absent: the preset's."""
    reduction: Annotated[Reduction | None, Field(examples=["mean"])] = None
    """Squared errors of one image: their `mean` or their `sum`. Absent: the preset's."""
    scale: Annotated[float | None, Field(gt=0, examples=[5000])] = None
    """The preset's own scale. Absent: 5000 (`diffusion_dpo`), 2500 (`diffusers`), the number of
    training timesteps (`derivation`)."""
    draws: Annotated[int, Field(ge=1, le=1000, examples=[4])] = 1
    """(timestep, noise) draws an image, each from its own of as many equal ranges of timesteps;
    more lower the variance and cost as many passes."""
    bank: Annotated[int | None, Field(ge=1, examples=[4])] = None
    """Sets of draws a pair has for the whole run, whose reference values are computed once; its
    visits take them in turn. Absent: new draws at every visit, as published."""
    timesteps: Annotated[Literal["shared", "independent"], Field(examples=["shared"])] = "shared"
    """Whether a side's images have one timestep, as in SysDPO's derivation, or each its own. The
    two sides of a pair, policy and reference always share timesteps and noises."""

    @property
    def weighting(self) -> Weight:
        """The weight, given or the preset's."""
        return self.weight or CONVENTIONS[self.preset].weight

    @property
    def reducing(self) -> Reduction:
        """The reduction, given or the preset's."""
        return self.reduction or CONVENTIONS[self.preset].reduction

    @property
    def constant(self) -> float | None:
        """Nats that a weighted, reduced error of 1 costs; None: T, the training timesteps."""
        published = CONVENTIONS[self.preset]
        scale = self.scale or published.scale
        return None if scale is None else published.factor * scale

    def multiplier(self, train_timesteps: int) -> float:
        """`constant` of a model that was trained with so many timesteps."""
        return self.constant or train_timesteps
