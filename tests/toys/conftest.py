"""Toy models built once per test session, in a cache of their own."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from sysgraph import toys
from sysgraph.toys import recipes


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The folder of a fully pretrained toy model; it is built on first request."""
    cache = tmp_path_factory.mktemp("toys")

    def folder(model_id: str) -> Path:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("SYSGRAPH_CACHE", str(cache))
            return toys.model_folder(model_id)

    return folder


@pytest.fixture
def quick_recipes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty cache, and recipes of three steps: for tests of how models are built and stored."""
    quick = tuple(replace(recipe, steps=3) for recipe in recipes.RECIPES)
    monkeypatch.setattr(recipes, "RECIPES", quick)
    monkeypatch.setenv("SYSGRAPH_CACHE", str(tmp_path))
    return tmp_path
