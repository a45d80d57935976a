"""Float32 copies of half-precision weights, so that no update is lost to rounding.

At 0.02, bfloat16 has steps of 1e-4 and an update of 1e-6 rounds away; float16 turns AdamW's squared
gradients into 0. So the optimizer steps on float32 weights, and the module runs on their roundings
(Micikevicius et al. 2018, section 3.1): in the very arithmetic of the base, so that policy and
reference agree to the bit before the first step.
"""

import contextlib
from collections.abc import Iterator
from functools import partial

import torch
from torch import Tensor, nn


class Masters:
    """What is trained of a module: its float32 weights, and float32 copies of all others.

    Gradients of the module's own weights move to the copies at once, and are summed there.

    Args:
        module: whose weights all require gradients; it is changed in place.
    """

    def __init__(self, module: nn.Module) -> None:
        self._named: dict[str, nn.Parameter] = {}
        self._rounded: list[tuple[nn.Parameter, nn.Parameter]] = []  # (in the module, master)
        for name, parameter in module.named_parameters():
            self._named[name] = parameter
            if parameter.dtype.itemsize < 4:
                self._named[name] = master = nn.Parameter(parameter.detach().float())
                self._rounded.append((parameter, master))
                parameter.register_post_accumulate_grad_hook(partial(_hand_over, master))
        self._seen = self._version()
        self._has_gradients = False

    def parameters(self) -> dict[str, nn.Parameter]:
        """The float32 weights by their names in the module, tied ones once."""
        return dict(self._named)

    @torch.no_grad()
    def refresh(self) -> None:
        """Rounds the masters into the module, unless they are known to be as they were.

        A change in place counts up a tensor's version, but a fused optimizer's step does not: so
        masters that had gradients when they were last looked at may have changed too.
        """
        version = self._version()
        if self._seen != version or self._has_gradients:
            for parameter, master in self._rounded:
                # By `data`: graphs that wait for their backward pass are not disturbed by a copy of
                # what is there already.
                parameter.data.copy_(master)
        self._seen = version
        self._has_gradients = any(master.grad is not None for _, master in self._rounded)

    @contextlib.contextmanager
    def in_place(self) -> Iterator[None]:
        """The module has the masters themselves as its weights, to be saved, until the block ends.

        In float32 there, since another run may go on with them.
        """
        halves = [parameter.data for parameter, _ in self._rounded]
        try:
            for parameter, master in self._rounded:
                parameter.data = master.data
            yield
        finally:
            for (parameter, _), half in zip(self._rounded, halves, strict=True):
                parameter.data = half

    def _version(self) -> int:
        """A number that changes in place make larger."""
        return sum(master._version for _, master in self._rounded)


def _hand_over(master: nn.Parameter, parameter: Tensor) -> None:
    assert parameter.grad is not None
    gradient, parameter.grad = parameter.grad.float(), None
    master.grad = gradient if master.grad is None else master.grad.add_(gradient)
