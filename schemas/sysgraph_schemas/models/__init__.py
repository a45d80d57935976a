"""`models:` of a graph file: the parameter sets. Nodes that name one model share its weights."""

from typing import Annotated

from pydantic import Field

from .base import Checkpoint
from .causal_lm import CausalLM
from .classifier import Classifier
from .diffusion import Diffusion
from .diffusion_lora import DiffusionLoRA
from .diffusion_objective import DiffusionObjective
from .lora import LoRA
from .table import Table

ModelSpec = Annotated[CausalLM | Classifier | Diffusion | Table, Field(discriminator="kind")]

__all__ = [
    "CausalLM",
    "Checkpoint",
    "Classifier",
    "Diffusion",
    "DiffusionLoRA",
    "DiffusionObjective",
    "LoRA",
    "ModelSpec",
    "Table",
]
