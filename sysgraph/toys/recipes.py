"""What each toy model is made of: its shape, its pretraining, and the beliefs it is taught.

All that decides a model's weights is in its `Recipe`, so a hash of it names the cache folder.
"""

import difflib
import hashlib
import json
from dataclasses import asdict, dataclass

from sysgraph.toys import specialists

PREFIX = "toy:"
CODE_VERSION = 1  # raise it when code outside the recipes changes what is built


@dataclass(frozen=True)
class Recipe:
    """How to build one toy model.

    `knowledge[k]` is the probability the model is taught to give attribute `k`'s true value; the
    rest is spread evenly over the wrong ones, and 1/4 is knowing nothing. Once drafts are in the
    prompt, knowledge counts for `own_weight`; the rest copies a draft picked uniformly.
    """

    model_id: str
    knowledge: tuple[float, ...]
    own_weight: float
    seed: int
    hidden_size: int = 64
    layers: int = 2
    heads: int = 4
    context: int = 128
    max_drafts: int = 4
    init_std: float = 0.1  # at transformers' default of 0.02, 64 wide, nothing is learnt
    steps: int = 300
    batch: int = 64
    learning_rate: float = 5e-3


EXPERT, LAYMAN, CHANCE = 0.8, 0.28, 0.25


def _specialist(slot: int) -> Recipe:
    name = specialists.ATTRIBUTES[slot].name
    knows = [LAYMAN] * 3
    knows[slot] = EXPERT
    return Recipe(f"{PREFIX}specialist-{name}", tuple(knows), own_weight=0.5, seed=slot)


RECIPES = (
    *(_specialist(slot) for slot in range(3)),
    Recipe(f"{PREFIX}aggregator", (CHANCE,) * 3, own_weight=0.0, seed=3),
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
    world = [asdict(a) for a in specialists.ATTRIBUTES]
    splits = specialists.names()
    parts = [CODE_VERSION, asdict(recipe), world, specialists.WORDINGS, splits["test"]]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:12]
