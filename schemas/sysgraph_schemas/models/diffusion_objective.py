"""`objective:` of a diffusion model: what one image's denoising errors count in nats."""

from typing import Annotated, ClassVar, Literal, NamedTuple, Self

from pydantic import Field, model_validator

from ..spec import Spec, refuse

Weight = Literal["constant", "ddpm"]
Reduction = Literal["mean", "sum"]
Sigmas = Literal["logit_normal", "uniform"]
Preset = Literal["diffusion_dpo", "diffusers", "derivation", "flow_dpo"]


class Convention(NamedTuple):
    """How published code turns denoising errors into what stands inside the sigmoid."""

    weight: Weight
    reduction: Reduction
    scale: float | None
    """None: T, the number of training timesteps."""
    factor: float
    """What the published code multiplies its own scale by."""
    sigmas: Sigmas | None = None
    """How it draws the time of a flow; None: of models that predict noise at discrete timesteps."""

    @property
    def is_flow(self) -> bool:
        """For models that are trained by flow matching."""
        return self.sigmas is not None


CONVENTIONS: dict[str, Convention] = {
    # github.com/SalesforceAIResearch/DiffusionDPO, train.py: scale_term = -0.5 * beta_dpo
    "diffusion_dpo": Convention("constant", "mean", 5000.0, 0.5),
    # github.com/huggingface/diffusers, examples/research_projects/diffusion_dpo: beta_dpo * logits
    "diffusers": Convention("constant", "mean", 2500.0, 1.0),
    # Wallace et al. 2023, eq. 13 and 14; SysDPO, appendix D
    "derivation": Convention("ddpm", "sum", None, 1.0),
    # Flow-DPO (Liu et al. 2025, arXiv 2501.13918) with constant beta; sigma of Esser et al. 2024
    "flow_dpo": Convention("constant", "mean", 5000.0, 0.5, "logit_normal"),
}


class DiffusionObjective(Spec):
    """The term of an image: -factor * scale * mean over draws of w_t * error(z_t, t, caption).

    A draw is a timestep t and a noise; the error is that of the model's prediction. A flow has a
    time sigma between 0 and 1 in place of t: z = (1 - sigma) z_0 + sigma eps, and what is predicted
    is the velocity eps - z_0. These nats are
    added to those of the system's other models, and `fit.beta` multiplies the sum: a published loss
    is this one at `fit.beta: 1`, and with `fit.beta: b` it takes a scale of 1/b of the published.
    """

    noun: ClassVar[str] = "`objective`"

    preset: Annotated[Preset, Field(examples=["diffusion_dpo"])] = "diffusion_dpo"
    """Whose convention. Of pipelines that predict noise, `diffusion_dpo`: the paper's code, scale/2
    times the mean squared error, scale its `--beta_dpo` (5000). `diffusers`: the library's example,
    scale times the mean squared error, scale its `--beta_dpo` (2500): an equal number counts twice
    as much as in `diffusion_dpo`. `derivation`: T times w_t times the squared error summed over the
    latent, the variational bound itself; on Stable Diffusion 1.5 about 40 times as much as the
    other two. Of pipelines that are trained by flow matching, `flow_dpo`: scale/2 times the mean
    squared error of the velocity, scale the beta of Flow-DPO."""
    weight: Annotated[Weight | None, Field(examples=["constant"])] = None
    """w_t. `constant`: 1, on what the model predicts (noise, velocity or sample); `ddpm`: the
    weight of the variational bound, on the noise; of a flow's velocity that is (1 - sigma) / sigma.
    Absent: the preset's."""
    reduction: Annotated[Reduction | None, Field(examples=["mean"])] = None
    """Squared errors of one image: their `mean` or their `sum`. Absent: the preset's."""
    scale: Annotated[float | None, Field(gt=0, examples=[5000])] = None
    """The preset's own scale. Absent: 5000 (`diffusion_dpo`), 2500 (`diffusers`), the number of
    training timesteps (`derivation`), 5000 (`flow_dpo`)."""
    sigmas: Annotated[Sigmas | None, Field(examples=["uniform"])] = None
    """How a flow's times are drawn: `logit_normal`, the sigmoid of a standard normal number, or
    `uniform` between 0 and 1. Absent: the preset's, which is `logit_normal`."""
    draws: Annotated[int, Field(ge=1, le=1000, examples=[4])] = 1
    """(timestep, noise) draws an image, each from its own of as many equal ranges of timesteps;
    more lower the variance and cost as many passes."""
    bank: Annotated[int | None, Field(ge=1, examples=[4])] = None
    """Sets of draws a pair has for the whole run, whose reference values are computed once; its
    visits take them in turn. Absent: new draws at every visit, as published."""
    timesteps: Annotated[
        Literal["shared", "independent", "unpaired"], Field(examples=["shared"])
    ] = "shared"
    """`shared`: a side's images have one timestep, as in SysDPO's derivation; `independent`: each
    its own. The two sides of a pair share timesteps and noises, as published, but with `unpaired`,
    where every image has its own of both. Policy and reference always share them."""
    noise: Annotated[Literal["new", "drawn"], Field(examples=["drawn"])] = "new"
    """`drawn`: an image that sysgraph drew is noised with what it was drawn from, which its trace
    keeps (as in PNAPO, arXiv 2605.09433); other images with new noise, as all are by default."""

    @model_validator(mode="after")
    def _sigmas_fit(self) -> Self:
        if self.sigmas is not None and not self.is_flow:
            said = f"`preset: {self.preset}` has timesteps, and no `sigmas`"
            help = "remove it, or take a preset of flow matching: flow_dpo"
            raise refuse("SG107", said, at=("sigmas",), help=help)
        return self

    @property
    def is_flow(self) -> bool:
        """For models that are trained by flow matching."""
        return CONVENTIONS[self.preset].is_flow

    @property
    def shared(self) -> Literal["shared", "independent"]:
        """Of the seeds that a side's images are given; `unpaired` ones are made of these."""
        return "shared" if self.timesteps == "shared" else "independent"

    @property
    def drawing(self) -> Sigmas | None:
        """How times of a flow are drawn, given or the preset's; None: it has timesteps."""
        return self.sigmas or CONVENTIONS[self.preset].sigmas

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
