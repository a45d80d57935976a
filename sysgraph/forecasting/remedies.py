"""What would make a training fit: changes of settings, each tried as the training itself is."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from sysgraph_schemas import Checkpoint, Graph

from ..support.errors import InputError
from .result import Forecast

Foresee = Callable[[Graph], Forecast]


class Remedy(NamedTuple):
    """Settings that change, and what the training takes then."""

    settings: tuple[str, ...]
    """As `--set` takes them."""
    found: Forecast


def remedies(graph: Graph, foresee: Foresee, found: Forecast) -> Iterator[Remedy]:
    """Changes one after the other, each on top of those before, until the training fits.

    Those that change least of what is learned come first; what saves nothing is left out.

    Args:
        graph: whose training does not fit.
        foresee: what a training takes.
        found: what that of the graph does.
    """
    least = found.peak
    changed: dict[str, Checkpoint] = {
        name: spec for name, spec in graph.models.items() if isinstance(spec, Checkpoint)
    }
    settings: list[str] = []
    for key, value, is_wanted in _CHANGES:
        names = [name for name, spec in changed.items() if is_wanted(spec)]
        if not names:
            continue
        tried = {name: changed[name].model_copy(update={key: value}) for name in names}
        try:
            found = foresee(
                graph.model_copy(update={"models": {**graph.models, **changed, **tried}})
            )
        except InputError:  # a model has no such setting
            continue
        if found.peak >= least:
            continue
        least = found.peak
        changed |= tried
        settings += [f"models.{name}.{key}={str(value).lower()}" for name in names]
        yield Remedy(tuple(settings), found)
        if found.fits:
            return


_CHANGES: tuple[tuple[str, object, Callable[[Checkpoint], bool]], ...] = (
    (
        "gradient_checkpointing",
        True,
        lambda spec: spec.is_trained and not spec.gradient_checkpointing,
    ),
    ("dtype", "bfloat16", lambda spec: spec.dtype not in ("bfloat16", "float16")),
    ("train", "lora", lambda spec: spec.train == "full"),
)
