"""The toy models there are, and what each is made of.

All that decides a model's weights is in its `Recipe`, so a hash of it names the cache folder.
"""

import difflib
import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

from sysgraph.toys import office, progression, specialists
from sysgraph.toys.recipe import PREFIX, Recipe


@dataclass(frozen=True)
class SpecialistRecipe(Recipe):
    """How to build one language model of the world "specialists".

    `knowledge[k]` is the probability the model is taught to give attribute `k`'s true value; the
    rest is spread evenly over the wrong ones, and 1/4 is knowing nothing. Once drafts are in the
    prompt, knowledge counts for `own_weight`; the rest copies a draft picked uniformly.
    """

    knowledge: tuple[float, ...]
    own_weight: float
    hidden_size: int = 64
    layers: int = 2
    heads: int = 4
    context: int = 128
    max_drafts: int = 4
    init_std: float = 0.1  # at transformers' default of 0.02, 64 wide, nothing is learnt
    steps: int = 300
    batch: int = 64
    learning_rate: float = 5e-3

    duration: ClassVar[str] = "some seconds"

    @property
    def total_steps(self) -> int:
        """Steps of pretraining."""
        return self.steps

    def world(self) -> list[Any]:
        """Attributes, questions and the names that are held out."""
        attributes = [asdict(attribute) for attribute in specialists.ATTRIBUTES]
        return [attributes, specialists.WORDINGS, specialists.names()["test"]]

    def build(self, folder: Path, on_step: Callable[[], None]) -> None:
        """Writes a transformers checkpoint."""
        from sysgraph.toys.pretrain import build

        build(self, folder, on_step)


EXPERT, LAYMAN, CHANCE = 0.8, 0.28, 0.25


def _specialist(slot: int) -> SpecialistRecipe:
    name = specialists.ATTRIBUTES[slot].name
    knows = [LAYMAN] * 3
    knows[slot] = EXPERT
    return SpecialistRecipe(f"{PREFIX}specialist-{name}", slot, tuple(knows), own_weight=0.5)


RECIPES: tuple[Recipe, ...] = (
    *(_specialist(slot) for slot in range(3)),
    SpecialistRecipe(f"{PREFIX}aggregator", 3, (CHANCE,) * 3, own_weight=0.0),
    progression.CaptionerRecipe(f"{PREFIX}captioner", seed=0),
    progression.CaptionerRecipe(f"{PREFIX}captioner-ordered", seed=0, ascending=0.9),
    progression.PainterRecipe(f"{PREFIX}painter", seed=0),
    progression.EditorRecipe(f"{PREFIX}editor", seed=0),
    progression.ViewerRecipe(f"{PREFIX}viewer", seed=0),
    office.ClerkRecipe(f"{PREFIX}clerk", seed=0),
)


def model_names() -> tuple[str, ...]:
    """The ids of all toy models."""
    return tuple(recipe.model_id for recipe in RECIPES)


def find(model_id: str) -> Recipe:
    """The recipe of a toy model.

    Raises:
        ValueError: no toy model has this id; the message lists the ids and the closest one.
    """
    for recipe in RECIPES:
        if recipe.model_id == model_id:
            return recipe
    close = difflib.get_close_matches(model_id, model_names(), n=1, cutoff=0.0)[0]
    known = ", ".join(model_names())
    raise ValueError(f"unknown toy model {model_id!r}; did you mean {close!r}? There are {known}")


def fingerprint(recipe: Recipe) -> str:
    """A short hash of everything that decides the built folder: recipe, world, code version."""
    parts = [recipe.code_version, asdict(recipe), recipe.world()]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:12]
