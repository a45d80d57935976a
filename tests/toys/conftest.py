"""Toy models built once per test session, in a cache of their own."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from sysgraph import toys
from sysgraph.toys import recipes
from sysgraph.toys.progression import PainterRecipe, ViewerRecipe
from sysgraph.toys.recipe import LanguageRecipe
from sysgraph.toys.recipes import SpecialistRecipe


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The folder of a fully pretrained toy model; it is built on first request."""
    cache = tmp_path_factory.mktemp("toys")

    def folder(model_id: str) -> Path:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("SYSGRAPH_CACHE", str(cache))
            return toys.model_folder(model_id)

    return folder


def quick(recipe: recipes.Recipe) -> recipes.Recipe:
    """The same kind of model after a few steps."""
    if isinstance(recipe, PainterRecipe):
        return replace(recipe, images=64, vae_steps=3, vae_batch=4, unet_steps=3, unet_batch=4)
    if isinstance(recipe, ViewerRecipe):
        return replace(recipe, pictures=16, steps=3, batch=4)
    assert isinstance(recipe, SpecialistRecipe | LanguageRecipe)
    return replace(recipe, steps=3)


@pytest.fixture
def quick_recipes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty cache, and recipes of few steps: for tests of how models are built and stored."""
    monkeypatch.setattr(recipes, "RECIPES", tuple(map(quick, recipes.RECIPES)))
    monkeypatch.setenv("SYSGRAPH_CACHE", str(tmp_path))
    return tmp_path
