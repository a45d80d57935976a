"""Why a checkpoint is not loaded, in a sentence about the checkpoint."""

import re
from pathlib import Path
from typing import Any

from transformers import PreTrainedConfig

from ...support.brief import brief
from .sources import Source, pickled

_OTHER_KIND = re.compile(r"Unrecognized configuration class .*?(\w+)'> .*: (\w+)\.")


class NotSafetensors(OSError):
    """There are no weights that could be read safely."""


def reason(source: Source, error: BaseException) -> str:
    """What a library's error means for who named the checkpoint."""
    said = str(error)
    if "trust_remote_code" in said:
        return (
            "it needs Python code that it brings along (`auto_map` in its files), and that is "
            "never run: take a checkpoint whose architecture transformers itself has"
        )
    if isinstance(error, NotSafetensors):
        return _convert(said)
    files = pickled(Path(source.path))
    if files:
        return _convert(f"its weights are pickled ({', '.join(files[:3])})")
    if isinstance(error, OSError) and "safetensors" in said:
        return _convert("it has no safetensors files")
    other = _OTHER_KIND.search(said)
    if other is not None:
        config, auto = other.groups()
        return f"its architecture, {config.removesuffix('Config')}, is none that {auto} loads"
    if "backend tokenizer" in said:
        return "it has no tokenizer: no tokenizer.json, and nothing that one could be made from"
    if isinstance(error, ImportError):
        method = quantization(source)
        what = f"its weights are quantized ({method}), which needs" if method else "it needs"
        return f"{what} a package that is not installed: {brief(error)}"
    if isinstance(error, OSError) and not source.is_folder:
        return f"{brief(error)}; nor is there a folder {Path(source.path).absolute()}"
    return brief(error)


def foreign_kernels(config: Any) -> str | None:
    """The repository of compiled code that a config wants to compute attention with, or None."""
    if isinstance(config, list):
        return next(filter(None, map(foreign_kernels, config)), None)
    if not isinstance(config, dict):
        return None
    for key, value in config.items():
        if key.strip("_").endswith("_implementation") and "/" in str(value):
            return str(value)
        found = foreign_kernels(value)
        if found is not None:
            return found
    return None


def quantization(source: Source) -> str | None:
    """The method that a checkpoint's weights are quantized by, as its config says, or None."""
    config, _ = PreTrainedConfig.get_config_dict(source.path, revision=source.revision or "main")
    text = config.get("text_config")
    places = (config, text if isinstance(text, dict) else {})
    settings = next(filter(None, (place.get("quantization_config") for place in places)), None)
    return str(settings.get("quant_method")) if isinstance(settings, dict) else None


def _convert(what: str) -> str:
    return (
        f"{what}, and only safetensors are read, as pickled weights can run code: if you trust "
        "them, load them once with `from_pretrained` and save them with `save_pretrained`, which "
        "writes safetensors"
    )
