"""Which models share a base in memory."""

from ..facts import Facts
from ..program import Program, Resident


def run(facts: Facts, program: Program) -> Program:
    """The program with `residents`."""
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
    return program.model_copy(update={"residents": residents})
