"""What a toy model is made of, whatever its kind."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

PREFIX = "toy:"


@dataclass(frozen=True)
class Recipe(ABC):
    """How to build one toy model; all that decides its weights is in here or in `world`."""

    model_id: str
    seed: int

    code_version: ClassVar[int] = 1
    """Raised when code outside recipe and world changes what is built."""
    duration: ClassVar[str]
    """How long building takes on one CPU core, in words."""

    @property
    @abstractmethod
    def total_steps(self) -> int:
        """How often `build` calls `on_step`."""

    @abstractmethod
    def world(self) -> list[Any]:
        """What the model is taught about, as JSON has it."""

    @abstractmethod
    def build(self, folder: Path, on_step: Callable[[], None]) -> None:
        """Trains the model and writes it into an empty folder, as `from_pretrained` loads it."""


@dataclass(frozen=True)
class LanguageRecipe(Recipe):
    """How to build a tiny language model that is taught by prompts and answers."""

    hidden_size: int = 64
    layers: int = 2
    heads: int = 4
    context: int = 128
    init_std: float = 0.1  # at transformers' default of 0.02, 64 wide, nothing is learnt
    steps: int = 900
    batch: int = 48
    learning_rate: float = 5e-3

    duration: ClassVar[str] = "some seconds"

    @property
    def total_steps(self) -> int:
        """Steps of pretraining."""
        return self.steps
