"""What every kind of model answers."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal, get_args

from pydantic import Field

from ..decoding import Decoding
from ..fit import Fit
from ..spec import NotBlank, Spec
from .device import Device
from .lora import LoRA

Likelihood = Literal["exact", "bound", "none"]
Gives = Literal["text", "choice", "image"]


@dataclass(frozen=True)
class Base:
    """The checkpoint that a model is, adapts or copies; models with equal ones can share it."""

    kind: str
    id: str
    revision: str | None
    """As the graph says it."""
    dtype: str
    attn_implementation: str | None = None
    """What computes its attention; None: what its library chooses."""
    device: str | None = None
    """Where it lives; None: where the rest of the run does."""
    load_in: str | None = None
    """What its weights are rounded to as they are loaded; None: they are not."""

    @property
    def checkpoint(self) -> tuple[str, str, str]:
        """Equal for models that are loaded from the same files, in whatever way."""
        return self.kind, self.id, self.revision or "main"

    @property
    def key(self) -> tuple[str, ...]:
        """Equal for models that share the base in memory."""
        how = (self.dtype, self.attn_implementation or "", self.device or "", self.load_in or "")
        return *self.checkpoint, *how


@dataclass(frozen=True)
class Noise:
    """The noise under which a term is scored: both sides, policy and reference share it."""

    draws: int = 1
    """Sets of random numbers that a value is scored under."""
    bank: int | None = None
    """Such noises that a pair has for the whole run; None: a new one at every visit."""
    timesteps: Literal["shared", "independent"] = "shared"
    """Whether all values of a side have one timestep, or each its own."""


@dataclass(frozen=True)
class Bound:
    """What stands for log p: -scale * l, l a weighted, reduced squared error."""

    scale: float | None
    """None: the number of training timesteps, T."""
    weighting: Literal["constant", "ddpm"]
    reducing: Literal["mean", "sum"]
    draws: int
    sigmas: Literal["logit_normal", "uniform"] | None = None
    """How the time of a flow is drawn; None: a timestep of a model that predicts noise."""

    @property
    def is_bound(self) -> bool:
        """Whether it bounds log p, up to constants: of a flow, in one setting alone.

        That is the setting of Kingma and Gao 2023 (arXiv 2303.00848) in which the weight by time is
        the variational bound's, for the process with the flow's marginals and Gaussian steps.
        """
        variational = self.weighting == "ddpm" and self.reducing == "sum"
        whole = variational and self.sigmas == "uniform" and self.scale == 1.0
        return self.sigmas is None or whole


class Model(Spec):
    """What the rest asks of every kind of model: facts, in place of its class or its name."""

    likelihood: ClassVar[Likelihood] = "exact"
    """Whether its term is log p, a bound that can not stand inside Sampling's sum, or not to be
    had at all."""
    gives: ClassVar[tuple[Gives, ...]] = ()
    """The types of values that it gives, and that nodes with such values take it for."""
    decodes: ClassVar[bool] = False
    """Whether it writes texts token by token, under settings that a node may have its own of."""

    reads_images: ClassVar[bool] = False
    """Whether its prompts may have images in them."""

    folders: ClassVar[tuple[str, ...]] = ()
    """Its keys that can name a folder."""
    for_training: ClassVar[tuple[str, ...]] = ()
    """Its keys that mean nothing once it is trained no further, wherever it is to run."""
    for_base: ClassVar[tuple[str, ...]] = ()
    """Its keys that say how its base is found and loaded: they mean nothing for what is trained
    whole, or merged into a checkpoint of its own."""
    lacks: ClassVar[Mapping[str, str]] = {}
    """Keys that other models have and its kind has not, and why."""
    is_hosted: ClassVar[bool] = False
    """Whether a server elsewhere runs it, whose address is given outside the graph."""

    kind: str
    """What it is."""

    @property
    def training(self) -> str:
        """The way it is trained: `frozen`, or what its kind calls it."""
        return "frozen"

    @property
    def ways(self) -> tuple[str, ...]:
        """The ways in which its kind can be trained."""
        field = type(self).model_fields.get("train")
        return tuple(way for way in get_args(field.annotation) if way != "frozen") if field else ()

    @property
    def is_trained(self) -> bool:
        """Whether it has something to train."""
        return self.training != "frozen"

    def is_divided(self, fit: Fit) -> bool:
        """Whether it is to be divided over the processes of a run."""
        return False

    @property
    def step_size(self) -> float | None:
        """Its own learning rate, where it has one."""
        return None

    @property
    def base(self) -> Base | None:
        """The checkpoint that it is loaded from; None: the graph itself declares it."""
        return None

    @property
    def adapted(self) -> str | None:
        """The folder of an adapter that is on its base before any training, if there is one."""
        return None

    @property
    def trains_adapter(self) -> bool:
        """Whether what is trained is an adapter, which can be passed on without its base."""
        return False

    @property
    def server(self) -> str | None:
        """The name of the server that draws from it while it is scored and trained here."""
        return None

    @property
    def summary(self) -> str:
        """What it is, in a few characters, for people."""
        return ""

    @property
    def decoding(self) -> Decoding:
        """How it draws, unless a node says otherwise."""
        return Decoding()

    @property
    def noise(self) -> Noise | None:
        """The noise under which it is scored, if any."""
        return None

    @property
    def is_noisy(self) -> bool:
        """Whether its term has noise that is drawn anew at every step of training."""
        return self.noise is not None and self.noise.bank is None

    @property
    def bound(self) -> Bound | None:
        """What stands for log p in the loss, of one whose likelihood is a bound."""
        return None

    @property
    def outcomes(self) -> tuple[str, ...] | None:
        """Every text that it can give; None: any."""
        return None


class Checkpoint(Model):
    """A model that is loaded from a checkpoint, and trained as an adapter on it or as a copy."""

    folders: ClassVar[tuple[str, ...]] = ("id", "adapter")
    for_training: ClassVar[tuple[str, ...]] = (
        *("lora", "learning_rate", "gradient_checkpointing", "device", "shard"),
    )
    for_base: ClassVar[tuple[str, ...]] = ("revision",)

    id: Annotated[NotBlank, Field(examples=["Qwen/Qwen2.5-0.5B-Instruct", "./my-model"])]
    """A Hub id, a local folder (relative to the working directory; with `./` before it, to the
    graph file if it is there), or `toy:NAME`. Weights are read from safetensors files, and no code
    that a checkpoint brings along is run."""
    revision: Annotated[str | None, Field(examples=["main"])] = None
    """Branch, tag or commit of a Hub id."""
    adapter: Annotated[NotBlank | None, Field(examples=["./adapters/ada"])] = None
    """A local folder, as for `id`, with a LoRA adapter that is put on the checkpoint: peft's, or
    for a diffusion model what diffusers saved. Only with `train: frozen`."""
    train: Annotated[Literal["lora", "full", "frozen"], Field(examples=["lora"])] = "lora"
    """`lora` trains an adapter, `full` every weight, `frozen` nothing. What is trained is kept and
    saved in float32, whatever `dtype` it runs in."""
    lora: Annotated[LoRA, Field(examples=[{"r": 16, "alpha": 32}])] = LoRA()
    """The adapter's settings, for `train: lora`."""
    dtype: Annotated[
        Literal["auto", "float32", "bfloat16", "float16"], Field(examples=["bfloat16"])
    ] = "auto"
    """Type that the weights are held and run in; `auto` is the checkpoint's own. Updates smaller
    than its rounding are not lost: what `train` trains is float32 beside it."""
    device: Annotated[Device | None, Field(examples=["cuda:1"])] = None
    """Where it lives, in a run of one process: `cpu`, `cuda:1`, or `auto`, the device with most
    room left; absent: where the rest of the run does. Models of one checkpoint share it in memory
    only where this is the same. With several processes, each of which has a device, `cpu` alone."""
    gradient_checkpointing: Annotated[bool, Field(examples=[True])] = False
    """Compute each layer again in the backward pass instead of keeping its numbers: less memory for
    about a third more time."""
    learning_rate: Annotated[float | None, Field(gt=0, examples=[1e-4])] = None
    """This model's learning rate; `fit.learning_rate` when absent."""
    shard: Annotated[bool | None, Field(examples=[False])] = None
    """Whether its base, and what is trained of it, are divided over the processes of a run; absent:
    what `fit.shard` says. Models that share a base must agree."""

    def is_divided(self, fit: Fit) -> bool:
        """`shard`, or what `fit` says."""
        return bool(fit.shard) if self.shard is None else self.shard

    @property
    def training(self) -> str:
        """`train`."""
        return self.train

    @property
    def step_size(self) -> float | None:
        """`learning_rate`."""
        return self.learning_rate

    @property
    def base(self) -> Base:
        """Its checkpoint."""
        return Base(self.kind, self.id, self.revision, self.dtype, device=self.device)

    @property
    def adapted(self) -> str | None:
        """`adapter`."""
        return self.adapter

    @property
    def trains_adapter(self) -> bool:
        """Of `train: lora`."""
        return self.train == "lora"

    @property
    def summary(self) -> str:
        """Its checkpoint's id."""
        return self.id
