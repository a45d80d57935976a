"""A package that would run compiled code of others as it is imported is kept from it."""

import importlib
import logging
import sys
from pathlib import Path

import pytest
import torch

from sysgraph.support.alone import Alone

PACKAGE = """
import logging

import torch

try:
    from kernels import get_kernel
    fetched = get_kernel("someone/code")
except ImportError:
    logging.getLogger(__name__).warning("please install kernels")
    fetched = None

def double(x):
    return x + x

plain, settled = torch.compile(double), torch.compile(dynamic=False)(double)
"""


def test_a_package_that_fetches_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for name, text in (("eager_one", PACKAGE), ("kernels", "def get_kernel(name): return name")):
        (tmp_path / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "meta_path", [Alone("eager_one"), *sys.meta_path])
    compile = torch.compile
    try:
        with caplog.at_level(logging.INFO):
            assert importlib.util.find_spec("eager_one") is not None
            found = importlib.import_module("eager_one")
        assert found.fetched is None
        assert found.plain is found.settled is found.double
        assert not caplog.records
        assert torch.compile is compile
        kernels = importlib.import_module("kernels")  # others have it
        assert kernels.get_kernel("a") == "a"
    finally:
        for name in ("eager_one", "kernels"):
            sys.modules.pop(name, None)
