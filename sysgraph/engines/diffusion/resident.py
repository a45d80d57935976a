"""One pipeline in memory, shared by every model that names it, and the adapters on its UNet."""

import hashlib
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import torch
from diffusers import UNet2DConditionModel
from torch import Tensor, nn

from sysgraph_schemas import Diffusion

from ...support.errors import InputError
from ...support.quiet_diffusers import quiet
from ...traces.pictures import Picture
from ..checkpoints.adapters import Adapters
from ..checkpoints.loading import read_model
from ..checkpoints.offloaded import Offloaded
from ..digest import digest_of, weights_in
from .autoencoder import Autoencoder
from .cache import TensorCache
from .captions import TextEncoder
from .pipelines import bare, find, load_pipeline, load_unet
from .schedule import noise_schedule
from .unet_adapters import UNetAdapters

_LATENT_BYTES = 2**30


class Resident:
    """A pipeline: its frozen UNet with adapters, and what turns captions and images into tensors.

    Raises:
        InputError: the pipeline cannot be loaded, or is not supported.
    """

    noun: ClassVar[str] = "UNet"

    def __init__(self, spec: Diffusion, device: torch.device) -> None:
        self.device = device
        self.checkpoint = find(spec)
        self.pipeline = load_pipeline(self.checkpoint, device)
        self.unet: Any = self.pipeline.unet
        # Taken before adapters are put into the UNet, which rename what is in it.
        self._weights = self._all_weights()
        self.adapters: Adapters = UNetAdapters(self.unet, self.checkpoint.kind)
        self.schedule = noise_schedule(spec, self.pipeline.scheduler.config)
        self.autoencoder = Autoencoder(self.pipeline.vae)
        self.text = TextEncoder(self.pipeline, device)
        if self.unet.config.in_channels != self.autoencoder.channels:
            raise InputError(
                f"model id {spec.id!r} is not supported: its UNet takes "
                f"{self.unet.config.in_channels} channels, its images have "
                f"{self.autoencoder.channels}"
            )
        self._latents: TensorCache[Picture] = TensorCache(_LATENT_BYTES)

    @cached_property
    def digest(self) -> str:
        """Of the weights of the UNet, the VAE and the text encoders, as they were loaded."""
        return digest_of(self._weights)

    @cached_property
    def settings(self) -> str:
        """Tells how the pipeline computes: what its parts are, their configurations, its schedule.

        So too what its tokenizers make of a caption.
        """
        parts = self.pipeline.components.items()
        config = {part: repr(getattr(module, "config", None)) for part, module in parts}
        words = {part: repr(module.get_vocab()) for part, module in parts if _has_words(module)}
        text = repr((config, words, self.checkpoint.settings, self.schedule.prediction))
        whole = hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
        return whole + digest_of({"schedule": self.schedule.alpha_bars})

    def image_size(self) -> tuple[int, int] | None:
        """Height and width of the images that the UNet was trained on, in pixels, if it says so."""
        side = self.unet.config.sample_size
        if side is None:
            return None
        height, width = (side, side) if isinstance(side, int) else side
        return height * self.autoencoder.factor, width * self.autoencoder.factor

    def latents(self, pictures: Sequence[Picture]) -> Tensor:
        """The latents of pictures of one size, on the CPU: [B, C, H, W].

        Those that an image was drawn from, if this pipeline's VAE decoded them and they are of its
        size: training then scores what was sampled. An encoded image otherwise.
        """
        return torch.stack([row[0] for row in self._latents.get(pictures, self._encode)])

    def _encode(self, pictures: list[Picture]) -> list[tuple[Tensor, ...]]:
        shape = self.autoencoder.shape(*pictures[0].size)
        found = {p: p.latents(self.autoencoder.name) for p in pictures}
        absent = [p for p, z in found.items() if z is None or z.shape != shape]
        if absent:
            encoded = self.autoencoder.encode([p.open() for p in absent])
            found.update(zip(absent, encoded, strict=True))
        return [(latents.float(),) for latents in found.values() if latents is not None]

    # ---- the UNet as a whole

    def _all_weights(self) -> dict[str, Tensor]:
        return {
            f"{part}.{name}": weight
            for part, module in self.pipeline.components.items()
            if isinstance(module, nn.Module)
            for name, weight in weights_in(module).items()
        }

    def offloaded(self) -> Offloaded:
        """The UNet, once nothing but references will run on it."""
        unet = Offloaded(self.unet, self.device)
        self._weights = self._all_weights()
        return unet

    def load(self) -> nn.Module:
        """Another copy of the UNet, frozen, in evaluation mode."""
        return load_unet(self.checkpoint, self.device).requires_grad_(False)

    def save(self, module: Any, folder: Path) -> None:
        """Writes a UNet into `folder/unet`, as `from_pretrained` of its class reads it."""
        with quiet():
            module.save_pretrained(folder / "unet")

    def write(self, module: Any, folder: Path) -> None:
        """Writes the pipeline with a UNet in place of its own."""
        with quiet():
            bare(self.pipeline, unet=module).save_pretrained(folder)

    def merged(self, folder: Path) -> nn.Module:
        """A copy of the UNet with the adapter in a folder merged into it."""
        adapters = UNetAdapters(self.load(), self.checkpoint.kind)
        adapters.attach("merged", folder)
        return adapters.merge("merged")

    def read(self, folder: Path) -> nn.Module:
        """The UNet in `folder/unet`.

        Raises:
            one of UNREADABLE: there is none.
        """
        path = (folder / "unet").resolve(strict=True)
        with quiet():
            loaded = read_model(path, UNet2DConditionModel, dtype=None, local_files_only=True)
        unet: nn.Module = loaded.module
        return unet


def _has_words(part: Any) -> bool:
    return hasattr(part, "get_vocab")
