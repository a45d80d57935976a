"""A model so small that a step of each side takes milliseconds."""

from pathlib import Path

import pytest

from benchmarks.real_model import save_tiny
from benchmarks.row import Options


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Options:
    folder: Path = tmp_path_factory.mktemp("model")
    save_tiny(folder, hidden_size=16, layers=2, vocabulary=300)
    return Options(model=folder, quick=True)
