"""The pictures that a pipeline edits, each encoded once by its VAE, as long as it is kept."""

import contextlib
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor

from ...digest import digest_of
from ..cache import TensorCache

_KEPT_BYTES = 2**30


class SourceEncoder:
    """Stands in for `encode` of a pipeline's VAE: takes what it takes, and gives its mode.

    So policy and reference see one picture. The VAE is float32, whatever the pipeline is.

    Args:
        vae: of the pipeline.
    """

    def __init__(self, vae: Any) -> None:
        self._vae, self._encode = vae, vae.encode
        self._kept: TensorCache[str] = TensorCache(_KEPT_BYTES)

    @contextlib.contextmanager
    def kept(self) -> Iterator[None]:
        """While entered, the VAE gives what it gave before."""
        self._vae.encode = self
        try:
            yield
        finally:
            del self._vae.encode

    def __call__(self, x: Tensor, return_dict: bool = True) -> Any:
        """What pipelines read of the VAE's output: latents, of pixels [B, 3, ..., H, W]."""
        keys = [digest_of({"pixels": row}) for row in x.split(1)]
        by_key = dict(zip(keys, x.split(1), strict=True))

        def make(absent: list[str]) -> list[tuple[Tensor, ...]]:
            return [(self._mode(by_key[key]),) for key in absent]

        rows = [kept.to(x) for (kept,) in self._kept.get(keys, make)]
        found = SimpleNamespace(latents=torch.cat(rows))
        return found if return_dict else (found,)

    @torch.no_grad()
    def _mode(self, row: Tensor) -> Tensor:
        out = self._encode(row.to(self._vae.device, torch.float32))
        found: Tensor = out.latent_dist.mode() if hasattr(out, "latent_dist") else out.latents
        return found
