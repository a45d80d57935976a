"""One pipeline in memory, shared by every model that names it, with adapters on its denoiser."""

import hashlib
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from transformers.processing_utils import ProcessorMixin

from sysgraph_schemas import Diffusion

from ...support.quiet_diffusers import quiet
from ...traces.pictures import Picture
from ..checkpoints import shapes
from ..checkpoints.adapters import Adapters
from ..checkpoints.lending import rest
from ..checkpoints.loading import read_model
from ..checkpoints.offloaded import Offloaded
from ..checkpoints.processors import save_processor
from ..digest import digest_of, places_of, weights_at, weights_in
from ..sharding import Probe, Sharding
from .autoencoder import Autoencoder
from .cache import TensorCache
from .denoiser_adapters import DenoiserAdapters
from .flow import FlowMatching
from .noise_prediction import NoisePrediction
from .pipelines import bare, find, load_denoiser, load_pipeline
from .process import Process

_LATENT_BYTES = 2**30


class Resident:
    """A pipeline: its frozen denoiser with adapters, and how images become noise and are drawn.

    Raises:
        InputError: the pipeline cannot be loaded, or is not supported.
    """

    noun: ClassVar[str] = "denoiser"

    def __init__(self, spec: Diffusion, device: torch.device) -> None:
        self.device = device
        self.checkpoint = find(spec)
        self.pipeline = load_pipeline(self.checkpoint, device)
        self._part = self.checkpoint.family.denoiser
        self.denoiser: Any = self.pipeline.components[self._part]
        # Taken before adapters are put into the denoiser, which rename what is in it.
        self.weights = self._all_weights()
        self.adapters: Adapters = self._adapters(self.denoiser)
        with shapes.numbers():  # its schedule, and how its latents are laid out
            self.process = self._process(spec)
        self._latents: TensorCache[Picture] = TensorCache(_LATENT_BYTES)

    def _process(self, spec: Diffusion) -> Process:
        if self.checkpoint.family.is_flow:
            return FlowMatching(spec, self.checkpoint, self.pipeline, self.device)
        return NoisePrediction(spec, self.checkpoint, self.pipeline, self.device)

    @property
    def kind(self) -> str:
        """The pipeline's class."""
        return self.checkpoint.family.kind.__name__

    @property
    def autoencoder(self) -> Autoencoder:
        """Between images and latents."""
        return self.process.autoencoder

    @cached_property
    def digest(self) -> str:
        """Of the weights of the denoiser, the VAE and the text encoders, as they were loaded."""
        return digest_of(self.weights)

    @cached_property
    def settings(self) -> str:
        """Tells how the pipeline computes: what its parts are, their configurations, its schedule.

        So too what its tokenizers make of a caption.
        """
        parts = self.pipeline.components.items()
        config = {part: repr(getattr(module, "config", None)) for part, module in parts}
        words = {
            part: repr((module.get_vocab(), module.chat_template))
            for part, module in parts
            if _has_words(module)
        }
        text = repr((config, words, self.checkpoint.settings, self.process.settings()))
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()

    def latents(self, pictures: Sequence[Picture]) -> Tensor:
        """The latents of pictures of one size, on the CPU: [B, C, H, W].

        [B, C, 1, H, W] where the VAE is one of videos. Those that an image was decoded from, if
        this pipeline's VAE did so and they are of its size: training then scores what was sampled.
        An encoded image otherwise.
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

    # ---- the denoiser as a whole

    def _all_weights(self) -> dict[str, Tensor]:
        return {
            f"{part}.{name}": weight
            for part, module in self.pipeline.components.items()
            if isinstance(module, nn.Module)
            for name, weight in weights_in(module).items()
        }

    def _adapters(self, denoiser: nn.Module) -> DenoiserAdapters:
        return DenoiserAdapters(denoiser, self.checkpoint.family)

    def offloaded(self) -> Offloaded:
        """The denoiser, once nothing but references will run on it."""
        denoiser = Offloaded(self.denoiser, self.device)
        self.weights = self._all_weights()
        return denoiser

    def divide(self, sharding: Sharding, probe: Probe) -> None:
        """Divides the denoiser and all adapters on it over processes.

        Args:
            probe: a little work of the denoiser.
        """
        _ = self.digest, self.settings  # of the whole
        rest(self.denoiser)
        places = places_of(self.weights, self.denoiser)
        self.adapters.divide(sharding, probe)
        self.weights |= weights_at(places)

    def load(self) -> nn.Module:
        """Another copy of the denoiser, frozen, in evaluation mode."""
        return load_denoiser(self.checkpoint, self.device).requires_grad_(False)

    def save(self, module: Any, folder: Path) -> None:
        """Writes a denoiser into a folder `unet` or `transformer`, as its class reads it."""
        with quiet():
            module.save_pretrained(folder / self._part)

    def write(self, module: Any, folder: Path) -> None:
        """Writes the pipeline with a denoiser in place of its own."""
        with quiet():
            whole = bare(self.checkpoint, self.pipeline, **{self._part: module})
            whole.save_pretrained(folder)
            for part, one in whole.components.items():
                if isinstance(one, ProcessorMixin):
                    save_processor(one, folder / part)

    def merged(self, folder: Path) -> nn.Module:
        """A copy of the denoiser with the adapter in a folder merged into it."""
        adapters = self._adapters(self.load())
        adapters.attach("merged", folder)
        return adapters.merge("merged")

    def read(self, folder: Path) -> nn.Module:
        """The denoiser that `save` wrote.

        Raises:
            one of UNREADABLE: there is none.
        """
        path = (folder / self._part).resolve(strict=True)
        kind = self.checkpoint.parts[self._part]
        with quiet():
            loaded = read_model(path, kind, dtype=None, local_files_only=True)
        denoiser: nn.Module = loaded.module
        return denoiser


def _has_words(part: Any) -> bool:
    return hasattr(part, "get_vocab")
