"""Which models share a base in memory."""

from sysgraph_schemas.models.base import Base

from ..facts import Facts
from ..program import Program, Resident


def run(facts: Facts, program: Program) -> Program:
    """The program with `residents`."""
    del facts
    used = {term.model for term in program.terms}
    on_base: dict[tuple[str, ...], tuple[Base, list[str]]] = {}
    for name, spec in program.models.items():
        if spec.base is not None and name in used:
            on_base.setdefault(spec.base.key, (spec.base, []))[1].append(name)
    residents = tuple(
        Resident(
            id=base.id,
            revision=base.revision or "main",
            dtype=base.dtype,
            attn_implementation=base.attn_implementation,
            device=base.device,
            load_in=base.load_in,
            models=tuple(models),
        )
        for base, models in on_base.values()
    )
    return program.model_copy(update={"residents": residents})
