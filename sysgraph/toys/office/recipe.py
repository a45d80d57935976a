"""What the clerk is made of."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from ..recipe import LanguageRecipe
from . import roles, world


@dataclass(frozen=True)
class ClerkRecipe(LanguageRecipe):
    """A language model that can do every task of the office, and does most of them badly."""

    steps: int = 1500
    batch: int = 64
    context: int = 128

    duration: ClassVar[str] = "about a minute"

    def world(self) -> list[Any]:
        """Words, and how often the clerk is right."""
        return [roles.vocabulary(), roles.RIGHT, world.documents()]

    def build(self, folder: Path, on_step: Callable[[], None]) -> None:
        """Writes a transformers checkpoint."""
        from ..answers import pretrain
        from ..language import build_tokenizer, save

        tokenizer = build_tokenizer(roles.vocabulary())
        save(pretrain(self, tokenizer, roles.examples, on_step), tokenizer, folder)
