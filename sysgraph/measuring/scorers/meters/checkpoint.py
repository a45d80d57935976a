"""Loading the model of a meter, from the Hub or a folder."""

from typing import Any

import torch
from torch import nn

from ....engines.checkpoints.loading import load_model, load_part, tell_unused
from ....engines.checkpoints.sources import source


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
    found = source(name, what=f"the {what}")
    loaded = load_model(found, model)
    tell_unused(found, loaded)
    prepare = load_part(found, processor)
    nn.Module.to(loaded.module, device)
    return loaded.module, prepare
