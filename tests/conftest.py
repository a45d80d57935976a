"""What all tests need."""

import os
import signal
from dataclasses import replace

import pytest

from sysgraph.toys import recipes
from sysgraph.toys.office import ClerkRecipe
from sysgraph.toys.progression import PainterRecipe, ViewerRecipe
from sysgraph.toys.recipe import Recipe

if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    # Shells start what runs in the background so; tests of Ctrl-C would test nothing.
    signal.signal(signal.SIGINT, signal.default_int_handler)


# Tests compute what they look at: an earlier run of theirs may have been wrong.
os.environ["SYSGRAPH_REFERENCES"] = "off"


@pytest.fixture
def hasty_toys(monkeypatch: pytest.MonkeyPatch) -> None:
    """A painter and a viewer that know nothing, and a clerk that can hardly read: real ones take
    minutes."""

    def hasty(recipe: Recipe) -> Recipe:
        if isinstance(recipe, PainterRecipe):
            return replace(recipe, images=64, vae_steps=2, unet_steps=2)
        if isinstance(recipe, ViewerRecipe):
            return replace(recipe, pictures=16, steps=2, batch=2)
        return replace(recipe, steps=300) if isinstance(recipe, ClerkRecipe) else recipe

    monkeypatch.setattr(recipes, "RECIPES", tuple(map(hasty, recipes.RECIPES)))
