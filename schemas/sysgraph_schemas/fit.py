"""`fit:` of a graph file: how the system is trained. The command line overrides it."""

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Discriminator, Field, Tag, field_validator, model_validator

from .losses import LOSSES, Loss, LossName
from .samplers import SAMPLERS, SamplerName
from .spec import Spec, refuse


class Sampling(Spec):
    """How values that data does not hold are drawn and summed over (SysDPO-Sampling)."""

    noun: ClassVar[str] = "`sampling`"

    sampler: Annotated[SamplerName, Field(examples=["diverse_beam"])] = "diverse_beam"
    """`diverse_beam`: one best text per group. `beam`: the best texts of plain beam search.
    `ancestral`: independent draws, with each node's temperature and top_p. `contrastive`: of
    `draws` diverse beams the two under which the chosen answer is likeliest and least likely."""
    k: Annotated[int, Field(ge=1, le=1024, examples=[2])] = 2
    """Trajectories drawn per pair; duplicates count once."""
    diversity_penalty: Annotated[float, Field(ge=0, examples=[10.0])] = 10.0
    """Nats taken off a token for each earlier group that picked it at the same step."""
    draws: Annotated[int, Field(ge=2, le=1024, examples=[4])] = 4
    """Trajectories that `contrastive` draws to choose from."""
    redraw_every: Annotated[int, Field(ge=1, examples=[1])] = 1
    """Optimizer steps whose pairs are drawn for at once, from the policy before the first."""
    estimator: Annotated[Literal["set_sum", "importance"], Field(examples=["set_sum"])] = "set_sum"
    """`set_sum`: the sum over the distinct trajectories. `importance`: the mean over independent
    draws, each weighed by the inverse of its probability; for `sampler: ancestral`."""

    @property
    def counts_twice(self) -> bool:
        """Whether a plain sum is fed independent draws: likely texts then weigh twice."""
        independent = SAMPLERS[self.sampler].independent
        return independent and self.estimator == "set_sum" and self.k > 1

    @property
    def drawn(self) -> int:
        """Trajectories drawn per pair, of which some samplers keep fewer."""
        return self.k if SAMPLERS[self.sampler].keeps is None else self.draws

    @model_validator(mode="after")
    def _parts_fit(self) -> Self:
        sampler = SAMPLERS[self.sampler]
        if self.estimator == "importance" and not sampler.independent:
            said = (
                f"`estimator: importance` weighs independent draws by their probability, which "
                f"`sampler: {self.sampler}` does not have"
            )
            able = [f"`sampler: {name}`" for name, one in SAMPLERS.items() if one.independent]
            help = f"use {' or '.join(able)}, or `estimator: set_sum`"
            raise refuse("SG107", said, at=("estimator",), help=help)
        if sampler.keeps is not None and self.k != sampler.keeps:
            said = f"`sampler: {self.sampler}` keeps {sampler.keeps} trajectories, not {self.k}"
            help = "remove `k`; `draws` is how many it chooses from"
            raise refuse("SG107", said, at=("k",), help=help)
        return self


class Reference(Spec):
    """How the reference follows the policy (TR-DPO, arXiv 2404.09656)."""

    noun: ClassVar[str] = "`reference`"

    every: Annotated[int, Field(ge=1, examples=[512])]
    """Optimizer steps from one update to the next, counted anew in every round."""
    mix: Annotated[float, Field(gt=0, le=1, examples=[0.6])] = 0.6
    """The policy's share of the new reference's weights (of an adapter's own matrices); 1: it is
    the policy."""


class Shard(Spec):
    """How models are divided over the processes of a run."""

    noun: ClassVar[str] = "`shard`"

    cpu_offload: Annotated[bool, Field(examples=[True])] = False
    """Weights, gradients and optimizer states wait in the CPU's memory, and are on the GPU only as
    they are used: a GPU holds a few blocks at a time, and waits for them."""


def _whether_or_how(written: Any) -> str:
    return "dict" if isinstance(written, dict | Shard) else "bool"


def _one_or_mix(written: Any) -> str:
    return "dict" if isinstance(written, dict) else "Literal"


TrackerName = Literal["tensorboard", "trackio", "wandb"]
"""A place that shows metrics of many runs, by the name of its package."""

_Mix = dict[LossName, Annotated[float, Field(gt=0)]]


class Fit(Spec):
    """Training settings. Names are TRL's and accelerate's where they have one."""

    noun: ClassVar[str] = "`fit`"

    data: Annotated[str | None, Field(examples=["pairs.jsonl"])] = None
    """Preference pairs: JSONL or Parquet files (a path or a pattern), what `collect` wrote (its
    folder), or a `datasets` name. Not with `rounds`."""
    inputs: Annotated[str | None, Field(examples=["toy:specialists/train", "questions.jsonl"])] = (
        None
    )
    """What the system is run on to collect pairs: a JSONL or Parquet file, or `toy:WORLD/SPLIT`."""
    eval_inputs: Annotated[
        str | None, Field(examples=["toy:specialists/test", "heldout.jsonl"])
    ] = None
    """Held-out inputs that `eval` and `study` score; never trained on."""
    scorer: Annotated[str | None, Field(examples=["attributes"])] = None
    """The scorer of final outputs: a name in the entry-point group `sysgraph.scorers`, or a model:
    of texts `reward:ID` or `judge:openai:MODEL`, of images as in
    `progression:clip:openai/clip-vit-base-patch32`."""

    loss: Annotated[
        Annotated[LossName, Tag("Literal")] | Annotated[_Mix, Field(min_length=1), Tag("dict")],
        Discriminator(_one_or_mix),
        Field(examples=["sigmoid", {"sigmoid": 0.8, "sft": 0.2}]),
    ] = "sigmoid"
    """The function of how far the system moved from the reference on both sides, by TRL's name
    (`sigmoid`: DPO), or several with their weights. `ipo` divides each side's log-ratio by its
    tokens, of which an image counts as one. `sft` is chosen's negative log-likelihood over the
    tokens of the whole batch, of texts and choices alone."""
    credit: Annotated[Literal["system", "node"], Field(examples=["system"])] = "system"
    """`system`: one loss on the sum of all terms (SysDPO). `node`: one loss per node, each model
    aligned alone on its own node (separate DPO, the baseline)."""
    beta: Annotated[float, Field(gt=0, examples=[0.1])] = 0.1
    """Strength of the pull to the reference."""
    label_smoothing: Annotated[float, Field(ge=0, lt=0.5, examples=[0.1])] = 0.0
    """Assumed share of flipped preferences, for `sigmoid`, `robust` and `exo_pair`."""
    discopop_tau: Annotated[float, Field(gt=0, examples=[0.05])] = 0.05
    """Temperature of the blend in `loss: discopop`."""
    dpop_lambda: Annotated[float, Field(gt=0, examples=[50])] = 50.0
    """Weight in `loss: dpop` of what the chosen side has lost against the reference: an image, when
    its denoising error rises. With `credit: node`, of each node alone."""
    anchor: Annotated[float, Field(ge=0, examples=[0.3])] = 0.0
    """Weight of the chosen side's negative log-likelihood per token, of texts and choices alone: an
    image has a bound instead, in a scale of its own."""
    reference: Annotated[Reference | None, Field(examples=[{"every": 512, "mix": 0.6}])] = None
    """Lets the reference follow the policy; absent: it is the policy at the start (of the round,
    with `rounds`). Held-out pairs are always measured against that one."""
    observed: Annotated[list[str] | None, Field(min_length=1, examples=[["answer"]])] = None
    """The generated nodes whose values training uses; all others are summed over, even where data
    holds them. Absent: whatever each row holds."""
    sampling: Annotated[Sampling, Field(examples=[{"sampler": "beam", "k": 4}])] = Sampling()
    """How values that are not observed are drawn and summed over."""
    train: Annotated[list[str] | None, Field(min_length=1, examples=[["ada", "judge"]])] = None
    """Trains only these models; absent: every model that is not `frozen`."""

    rounds: Annotated[int, Field(ge=0, le=1000, examples=[6])] = 0
    """Alternates collecting pairs from the current policy with fitting them, this many times;
    each round's reference is the policy at its start. 0: fit `data` once."""
    samples: Annotated[int, Field(ge=2, le=1024, examples=[4])] = 4
    """Traces drawn per input when collecting."""
    inputs_per_round: Annotated[int | None, Field(ge=1, examples=[200])] = None
    """Inputs drawn without repetition each round; absent: all."""

    steps: Annotated[int, Field(ge=1, examples=[200])] = 200
    """Optimizer steps (per round, with `rounds`)."""
    batch_size: Annotated[int, Field(ge=1, le=65536, examples=[32])] = 32
    """Pairs per optimizer step, over all processes and accumulated micro-batches."""
    gradient_accumulation_steps: Annotated[int, Field(ge=1, le=65536, examples=[4])] = 1
    """Micro-batches that one step's pairs are worked through in: less memory, the same result."""
    learning_rate: Annotated[float, Field(gt=0, examples=[1e-4])] = 1e-4
    """AdamW's learning rate; a model's own `learning_rate` comes first."""
    weight_decay: Annotated[float, Field(ge=0, examples=[0.01])] = 0.0
    """AdamW's decoupled weight decay."""
    lr_scheduler: Annotated[Literal["constant", "linear", "cosine"], Field(examples=["cosine"])] = (
        "linear"
    )
    """Learning-rate schedule after the warm-up, over the steps of all rounds."""
    warmup_steps: Annotated[int, Field(ge=0, examples=[10])] = 0
    """Steps at the start of the run over which the learning rate rises from 0."""
    max_grad_norm: Annotated[float | None, Field(gt=0, examples=[1.0])] = 1.0
    """Clips the gradient's norm over all models; null: no clipping."""
    mixed_precision: Annotated[Literal["no", "bf16", "fp16"] | None, Field(examples=["bf16"])] = (
        None
    )
    """Autocast type; absent: what `accelerate` is configured for."""

    shard: Annotated[
        Annotated[bool, Tag("bool")] | Annotated[Shard, Tag("dict")],
        Discriminator(_whether_or_how),
        Field(examples=[True, {"cpu_offload": True}]),
    ] = False
    """Divides every model that is loaded from a checkpoint over the processes that `torchrun` or
    `accelerate launch` starts: weights, gradients, optimizer states and adapters. Else each process
    has a copy. A model's own `shard` comes first."""

    eval_fraction: Annotated[float, Field(ge=0, lt=1, examples=[0.1])] = 0.1
    """Share of the inputs whose pairs are held out to choose the best checkpoint."""
    eval_every: Annotated[int, Field(ge=1, examples=[50])] = 50
    """Steps between evaluations on held-out pairs."""
    save_every: Annotated[int, Field(ge=1, examples=[100])] = 100
    """Steps between states to resume from."""
    log_every: Annotated[int, Field(ge=1, examples=[10])] = 10
    """Steps between lines of metrics."""
    trackers: Annotated[
        list[TrackerName] | None,
        Field(
            min_length=1,
            json_schema_extra={"uniqueItems": True},
            examples=[["tensorboard", "wandb"]],
        ),
    ] = None
    """Also logs the lines of metrics there, through accelerate: `tensorboard` (files in the run's
    folder), `trackio` and `wandb` (as their own environment variables say where)."""
    seed: Annotated[int, Field(ge=0, lt=2**63, examples=[0])] = 0
    """Seed of the order of pairs, of adapters and of sampling."""

    @property
    def offloads(self) -> bool:
        """Whether what is divided waits in the CPU's memory."""
        return isinstance(self.shard, Shard) and self.shard.cpu_offload

    @property
    def losses(self) -> dict[LossName, float]:
        """The losses with their weights."""
        return self.loss if isinstance(self.loss, dict) else {self.loss: 1.0}

    @property
    def cancels(self) -> bool:
        """Whether what both sides share drops out, but for chosen's likelihood (see there).

        With `credit: node` every pair of a node's values is one of its own losses'.
        """
        alone = ("margin",) if self.credit == "node" else ("margin", "likelihood")
        return all(one.of in alone for one in self._declared)

    @property
    def reads_likelihood(self) -> bool:
        """Whether a loss is chosen's own log-likelihood."""
        return any(one.of == "likelihood" for one in self._declared)

    @property
    def needs_likelihood(self) -> bool:
        """Whether chosen's own log-likelihood is trained on, by a loss or by the anchor."""
        return self.anchor > 0 or self.reads_likelihood

    @property
    def _declared(self) -> list[Loss]:
        return [LOSSES[name] for name in self.losses]

    @model_validator(mode="after")
    def _sources_fit(self) -> Self:
        if self.data is not None and self.rounds:
            said = "`data` is a fixed set of pairs and `rounds` collects its own: give one of them"
            raise refuse("SG107", said, at=("rounds",), help="remove `data` or `rounds`")
        return self

    @field_validator("trackers")
    @classmethod
    def _once(cls, trackers: list[TrackerName] | None) -> list[TrackerName] | None:
        several = trackers or []
        for index, name in enumerate(several):
            if name in several[:index]:
                help = "each tracker gets every line of metrics once: remove it"
                raise refuse("SG107", f"`{name}` is given twice", at=(index,), help=help)
        return trackers

    @model_validator(mode="after")
    def _reference_fits(self) -> Self:
        if self.reference is None:
            return self
        if all(one.of == "likelihood" for one in self._declared):
            named = " and ".join(f"`{name}`" for name in self.losses)
            said = f"`reference` moves what a loss compares with, and {named} compares with nothing"
            raise refuse("SG107", said, at=("reference",), help="remove it")
        if self.reference.every >= self.steps:
            said = (
                f"the reference moves after {self.reference.every} steps, but `steps` is "
                f"{self.steps}: no step would see it"
            )
            help = "lower `every`, or take more `steps`"
            raise refuse("SG107", said, at=("reference", "every"), help=help)
        return self

    @model_validator(mode="after")
    def _settings_fit(self) -> Self:
        """No setting that no loss reads, and none missing."""
        named = " and ".join(f"`{name}`" for name in self.losses)
        smoothing = [name for name in LOSSES if LOSSES[name].smoothed]
        if self.label_smoothing and not set(smoothing) & set(self.losses):
            said = f"`label_smoothing` is for the losses {', '.join(smoothing)}, not {named}"
            raise refuse("SG107", said, at=("label_smoothing",), help="remove it")
        for name in self.losses:
            if LOSSES[name].plain is None and not self.label_smoothing:
                said = f"`{name}` needs `label_smoothing` above 0: without it the loss is infinite"
                help = "add `label_smoothing: 0.001`, as its paper has it"
                raise refuse("SG107", said, at=("loss",), help=help)
        for key in dict.fromkeys(key for loss in LOSSES.values() for key in loss.settings):
            is_default = getattr(self, key) == type(self).model_fields[key].default
            if not is_default and not any(key in one.settings for one in self._declared):
                readers = [name for name, one in LOSSES.items() if key in one.settings]
                said = f"`{key}` is for `loss: {', '.join(readers)}`, not {named}"
                raise refuse("SG107", said, at=(key,), help="remove it")
        return self
