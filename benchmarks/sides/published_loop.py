"""What the loops of published preference training of image models do alike."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from peft import LoraConfig
from PIL import Image
from torch import Tensor, nn

from .ours import LEARNING_RATE

_ADAPTER = "policy"


class PublishedLoop:
    """A denoiser in training, one pair a step.

    Args:
        denoiser: is trained.
        reference: another copy, where all of it is; None: it has an adapter that is turned off.
        vae: encodes images.
        lora: `peft.LoraConfig`'s settings; None: the whole denoiser is trained.
        beta: the published code's `--beta_dpo`.
        device: where all is.
    """

    def __init__(
        self,
        denoiser: Any,
        reference: Any,
        vae: Any,
        *,
        lora: Mapping[str, Any] | None,
        beta: float,
        device: str,
    ) -> None:
        self._denoiser, self._vae, self._beta, self._device = denoiser, vae, beta, device
        self._vae.requires_grad_(False).eval()
        self._reference: Any = None
        if lora is None:
            self._reference = reference.to(device).requires_grad_(False).eval()
            self._denoiser.requires_grad_(True)
        else:
            self._denoiser.requires_grad_(False).add_adapter(LoraConfig(**lora), _ADAPTER)
        self._optimizer = torch.optim.AdamW(self.parameters().values(), LEARNING_RATE)

    @property
    def latents(self) -> tuple[int, int, int]:
        """The shape of an image's latents."""
        config = self._denoiser.config
        return config.in_channels, config.sample_size, config.sample_size

    def parameters(self) -> dict[str, nn.Parameter]:
        """What is trained, by the names that sysgraph gives it."""
        return {
            name.replace(f".{_ADAPTER}.", "."): parameter
            for name, parameter in self._denoiser.named_parameters()
            if parameter.requires_grad
        }

    def _stepped(self, errors: Callable[[Any], Tensor]) -> Tensor:
        """Takes a step; its loss.

        Args:
            errors: of the chosen and the rejected image under a denoiser, [2].
        """
        model = errors(self._denoiser)
        with torch.no_grad():
            reference = self._without(errors)
        inside = -0.5 * self._beta * ((model[0] - model[1]) - (reference[0] - reference[1]))
        loss: Tensor = -F.logsigmoid(inside)
        loss.backward()
        nn.utils.clip_grad_norm_(self.parameters().values(), 1.0)
        self._optimizer.step()
        self._optimizer.zero_grad()
        return loss.detach()

    def _without(self, errors: Callable[[Any], Tensor]) -> Tensor:
        """What the reference gives."""
        if self._reference is not None:
            return errors(self._reference)
        self._denoiser.disable_adapters()
        found = errors(self._denoiser)
        self._denoiser.enable_adapters()
        return found

    def _pixels(self, row: Mapping[str, Any]) -> Tensor:
        """[2, 3, H, W] in -1 to 1, of the chosen and the rejected image."""
        paths = [row[side]["image"] for side in ("chosen", "rejected")]
        several = [torch.from_numpy(np.array(Image.open(path).convert("RGB"))) for path in paths]
        pixels = torch.stack(several).to(self._device)
        return pixels.permute(0, 3, 1, 2).float() / 127.5 - 1
