"""The endpoint judge, at a local server."""

from collections.abc import Callable
from pathlib import Path

import pytest

from sysgraph.measuring.judges.endpoint import Endpoint

from .server import KEY, Server


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Endpoint]:
    def endpoint(server: Server, **options: int | float) -> Endpoint:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        return Endpoint("org/judge:1", cache=tmp_path / "cache", **options)  # type: ignore[arg-type]

    return endpoint
