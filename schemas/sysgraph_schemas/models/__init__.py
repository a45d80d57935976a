"""`models:` of a graph file: the parameter sets. Nodes that name one model share its weights."""

from typing import TYPE_CHECKING

from ..kinds import Kinds
from .base import Checkpoint, Model
from .causal_lm import CausalLM
from .classifier import Classifier
from .diffusion import Diffusion
from .diffusion_lora import DiffusionLoRA
from .diffusion_objective import DiffusionObjective
from .endpoint import Endpoint
from .lora import LoRA
from .model_sampler import ModelSampler
from .table import Table
from .vision_lm import VisionLM

MODEL_KINDS = Kinds(
    "model", "sysgraph.models", Model, (CausalLM, VisionLM, Classifier, Diffusion, Table, Endpoint)
)

if TYPE_CHECKING:
    ModelSpec = Model
else:
    ModelSpec = MODEL_KINDS.annotation

__all__ = [
    "MODEL_KINDS",
    "CausalLM",
    "Checkpoint",
    "Classifier",
    "Diffusion",
    "DiffusionLoRA",
    "DiffusionObjective",
    "Endpoint",
    "LoRA",
    "Model",
    "ModelSampler",
    "ModelSpec",
    "Table",
    "VisionLM",
]
