"""Loading the model of a meter, from the Hub or a folder."""

from typing import Any

import torch
from torch import nn

from ...engines.checkpoints.quiet import quiet
from ...engines.checkpoints.resident import UNREADABLE
from ...errors import InputError


def load(
    name: str, *, model: Any, processor: Any, what: str, device: torch.device
) -> tuple[Any, Any]:
    """The model in evaluation mode on `device`, and its processor; safetensors only.

    Args:
        name: a Hub id or a folder.
        model, processor: the classes of transformers that load them.
        what: what the user was to name, for messages.

    Raises:
        InputError: it cannot be loaded, or lacks weights.
    """
    try:
        with quiet():
            module, report = model.from_pretrained(
                name,
                dtype="auto",
                use_safetensors=True,
                trust_remote_code=False,
                output_loading_info=True,
            )
            if report["missing_keys"]:
                raise ValueError(f"it has no {sorted(report['missing_keys'])[0]}")
            prepare = processor.from_pretrained(name, trust_remote_code=False)
    # ImportError: some models need a package of their own.
    except (*UNREADABLE, ImportError) as error:
        raise InputError(f"cannot load the {what} {name!r}: {error}") from error
    nn.Module.to(module, device)
    return module.eval(), prepare
