"""What a system's models are, for records: whether samples are of the same ones."""

from ..engines.digest import digest_of
from .models import Models


def weights_of(models: Models, *, trained: bool) -> dict[str, dict[str, str]]:
    """Digests by model: of it as it was before training, and of what was trained.

    Args:
        trained: whether a run's models were loaded.
    """
    return {
        model: {
            "base": base,
            **({"trained": digest_of(models.parameters(model))} if trained else {}),
        }
        for model, base in models.digests().items()
    }
