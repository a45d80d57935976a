"""Bases with weights of 4 bits, by bitsandbytes: NF4 (QLoRA, Dettmers et al. 2023, section 3).

A weight is one of 16 numbers times the largest of its block of 64, which is kept in float32. Those
are not rounded once more ("double quantization"): that takes a mean over all of them, whose last
bits depend on the device and on the number of threads, and saves 0.37 bits a weight.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor, nn
from transformers import BitsAndBytesConfig
from transformers.pytorch_utils import Conv1D
from transformers.quantizers.base import get_keys_to_not_convert

from ...support.errors import InputError
from . import shapes
from .targets import LINEAR

STATE = "quant_state"
"""The attribute by which weights of 4 bits are known: their scales and their shape."""
BLOCK = 64
"""Weights that share a scale."""


def require_quantizer(model: str) -> None:
    """Refuses a model with `load_in` where nothing can quantize it.

    Raises:
        InputError: bitsandbytes is not installed.
    """
    if find_spec("bitsandbytes") is None:
        raise InputError(
            f"model {model!r}: `load_in` needs bitsandbytes: pip install 'sysgraph[quantized]'"
        )


def kept_of(blank: Any, kept: Collection[str]) -> list[str]:
    """The names of linear layers whose weights stay as they are.

    Output layers, and layers whose rows are no whole blocks: of those, bitsandbytes (0.50) gives
    wrong weights on a CPU.

    Args:
        blank: the model, without numbers.
        kept: the names of more modules that stay.

    Raises:
        ValueError: no layer is left.
    """
    linear = {n: m for n, m in blank.named_modules() if isinstance(m, LINEAR)}
    outputs = get_keys_to_not_convert(blank)
    left = [
        name
        for name, layer in linear.items()
        if name in outputs or name in kept or shape_of(layer)[1] % BLOCK
    ]
    if len(left) == len(linear):
        raise ValueError(
            f"no layer of it can be loaded in 4 bits: its rows of weights are no multiples of "
            f"{BLOCK} numbers; leave out `load_in`"
        )
    return left


def quantizing(device: torch.device, kept: Iterable[str]) -> dict[str, Any]:
    """What `from_pretrained` is told to quantize weights as it reads them, and where.

    Args:
        kept: the names of layers that stay as they are.
    """
    settings = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        llm_int8_skip_modules=[*map(re.escape, kept)],
    )
    return {"quantization_config": settings, "device_map": {"": device}}


def settled(module: Any, *, here: bool) -> None:
    """Has layers of 4 bits compute alike with and without gradients, and in one type.

    bitsandbytes lays weights out anew for inference on CPUs that multiply bfloat16, rounds to it
    whatever the model's type is, and has no gradients from there on.

    Args:
        module: a model of transformers.
        here: whether they were quantized as they were loaded: they compute in the model's type.

    Raises:
        ValueError: they were quantized before, and a CPU would take them for other weights.
    """
    found = {} if shapes.are_all() else layers_of(module)
    for name, layer in found.items():
        if layer.weight.device.type == "cpu" and layer.in_features % layer.weight.blocksize:
            raise ValueError(
                f"its layer {name} has rows of {layer.in_features} weights of 4 bits, which "
                f"bitsandbytes reads wrongly on a CPU: no multiple of {layer.weight.blocksize}"
            )
    for layer in found.values():
        layer.support_avx512bf16_for_cpu = False
        if here:
            layer.compute_dtype, layer.compute_type_is_set = module.dtype, True
    if found and here:  # said truly, for who reads it
        module.config.quantization_config.bnb_4bit_compute_dtype = module.dtype


def shape_of(layer: Any) -> tuple[int, int]:
    """Rows and columns of a plain layer's weights, as they are quantized: [out, in].

    GPT-2's layers hold them the other way round.
    """
    rows, columns = layer.weight.shape
    return (columns, rows) if isinstance(layer, Conv1D) else (rows, columns)


def layers_of(module: nn.Module) -> dict[str, Any]:
    """The layers with weights of 4 bits, by name."""
    named: dict[str, Any] = dict(module.named_modules())
    return {n: m for n, m in named.items() if hasattr(getattr(m, "weight", None), STATE)}


def put_back(layers: Mapping[str, Any], module: nn.Module) -> None:
    """Gives a model of plain weights those that layers of 4 bits stand for.

    Args:
        layers: see `layers_of`.
        module: of the same checkpoint.
    """
    from transformers.integrations.bitsandbytes import dequantize_bnb_weight

    with torch.no_grad():
        for name, layer in layers.items():
            weight = module.get_parameter(f"{name}.weight")
            rounded = dequantize_bnb_weight(layer.weight)
            weight.copy_(rounded.T if layer.source_cls is Conv1D else rounded)


def count_of(weights: Mapping[str, Tensor]) -> int:
    """How many numbers weights stand for, by name: of 4 bits, two in a byte, and no scales."""
    states: dict[str, Any] = {name: getattr(t, STATE, None) for name, t in weights.items()}
    counts = (
        tensor.numel() if states[name] is None else states[name].shape.numel()
        for name, tensor in weights.items()
        if states.get(_owner(name)) is None
    )
    return int(sum(counts))


def known_by(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """What tells weights that were quantized as they were loaded: all but the roundings.

    The largest number of a block is the same on every device, to the bit; which of two numbers
    another one is rounded to is not always.
    """
    return {n: t for n, t in weights.items() if getattr(t, STATE, None) is None}


def _owner(name: str) -> str:
    """The weight that a scale belongs to: `layer.weight` of `layer.weight.absmax`."""
    before, dot, _ = name.rpartition(".weight.")
    return f"{before}.weight" if dot else ""
