"""Which requests share a call, and which models share a base: as the engines group them.

An adapter or a trained copy scores alone; the bare base scores for every model on it: for its
frozen ones, and as the reference of the others.
"""

from collections.abc import Hashable

from sysgraph_schemas import ModelSpec

from ..facts import Facts
from ..program import Call, Program, Resident


def run(facts: Facts, program: Program) -> Program:
    """The program with `residents` and `calls`."""
    del facts
    used = {term.model for term in program.terms}
    on_base: dict[tuple[str, str, str, str], list[str]] = {}
    for name, spec in program.models.items():
        if spec.base is not None and name in used:
            on_base.setdefault(spec.base.key, []).append(name)
    residents = tuple(
        Resident(id=id, revision=revision, dtype=dtype, models=tuple(models))
        for (_, id, revision, dtype), models in on_base.items()
    )
    calls = (*_calls(program, reference=False), *_calls(program, reference=True))
    return program.model_copy(update={"residents": residents, "calls": calls})


def _calls(program: Program, *, reference: bool) -> list[Call]:
    groups: dict[Hashable, dict[str, list[str]]] = {}
    for term in program.terms:
        when = term.reference if reference else term.policy
        if term.model is None or when == "never":
            continue
        key = _weights(term.model, program.models[term.model], reference=reference)
        groups.setdefault(key, {}).setdefault(term.model, []).append(term.variable)
    return [
        Call(
            side="reference" if reference else "policy",
            models=tuple(by_model),
            terms=tuple(name for names in by_model.values() for name in names),
        )
        for by_model in groups.values()
    ]


def _weights(name: str, spec: ModelSpec, *, reference: bool) -> Hashable:
    """Equal for models that score under the same weights."""
    if spec.base is not None and (reference or not spec.is_trained):
        return spec.base.key
    return name
