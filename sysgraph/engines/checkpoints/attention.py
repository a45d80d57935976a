"""What computes attention: what a graph asks for, and whether this machine has it."""

import torch
from transformers import PreTrainedModel
from transformers.modeling_flash_attention_utils import FLASH_ATTENTION_COMPATIBILITY_MATRIX

from ...support.errors import InputError

_FLASH = {f"flash_attention_{version}": version for version in FLASH_ATTENTION_COMPATIBILITY_MATRIX}
_CHECK = "general_availability_check"
_PACKAGES = {2: "flash-attn", 3: "flash-attn-3"}
_INSTEAD = "take `sdpa`, or leave `attn_implementation` out"


def require_attention(model_id: str, asked: str | None, device: torch.device) -> None:
    """Refuses what this machine does not have, before anything is loaded.

    transformers itself would fetch compiled code from the Hub in its place, where the package
    `kernels` is installed; no such code is ever run.

    Raises:
        InputError: its package is missing, or a device that it runs on.
    """
    needs = None
    if asked == "flex_attention" and device.type == "cpu":  # which has no backward pass of it
        needs = "a GPU"
    elif asked in _FLASH and not FLASH_ATTENTION_COMPATIBILITY_MATRIX[_FLASH[asked]][_CHECK]():
        package = _PACKAGES.get(_FLASH[asked], asked)
        needs = f"the package {package} and a GPU that it supports"
    if needs is not None:
        raise InputError(
            f"model id {model_id!r}: `attn_implementation: {asked}` needs {needs}, which this "
            f"machine does not have: {_INSTEAD}"
        )


def require_half(model_id: str, asked: str | None, module: PreTrainedModel) -> None:
    """Refuses flash attention on weights that it does not compute with.

    Raises:
        InputError: they are not of half precision.
    """
    if asked in _FLASH and module.dtype not in (torch.float16, torch.bfloat16):
        raise InputError(
            f"model id {model_id!r}: `attn_implementation: {asked}` computes in half precision, "
            f"and the weights are {str(module.dtype).removeprefix('torch.')}: add "
            f"`dtype: bfloat16`, or {_INSTEAD}"
        )
