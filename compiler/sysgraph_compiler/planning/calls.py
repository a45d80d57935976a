"""Which requests go together: those that are scored under the same weights.

An adapter, trained or not, or a trained copy scores alone. The bare base scores for every model on
it: for its frozen ones, and as the reference of the others, until they have a snapshot as theirs.
"""

from collections.abc import Hashable, Iterable

from ..program import Call, Program


def call_of(program: Program, model: str, *, reference: bool, snapshot: bool = False) -> Hashable:
    """Equal for models whose requests one call scores.

    Args:
        reference: log p_ref, in place of log p.
        snapshot: the model's reference is no longer what it was before training.
    """
    spec = program.models[model]
    on_base = spec.adapted is None and (not spec.is_trained or (reference and not snapshot))
    return spec.base.key if on_base and spec.base is not None else model


def calls(program: Program, names: Iterable[str], *, reference: bool) -> tuple[Call, ...]:
    """The calls that score the terms `names`, before any reference is a snapshot."""
    of_model: dict[str, list[str]] = {}
    for name in names:
        of_model.setdefault(str(program.model_of(name)), []).append(name)
    groups: dict[Hashable, dict[str, list[str]]] = {}
    for model, several in of_model.items():
        key = call_of(program, model, reference=reference)
        groups.setdefault(key, {})[model] = several
    return tuple(
        Call(
            side="reference" if reference else "policy",
            models=tuple(by_model),
            terms=tuple(name for several in by_model.values() for name in several),
        )
        for by_model in groups.values()
    )
