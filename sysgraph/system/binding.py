"""Which engine plays which role for which model, as data: a role can be played elsewhere."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar, cast

from sysgraph_compiler import Program

from ..engines import Prompted, Receiving, Sampled, Scored, Searched, Trained
from ..support.errors import InputError

Role = Literal["scored", "trained", "sampled", "searched", "prompted"]
Elsewhere = Mapping[Role, Mapping[str, object]]
"""Engines that play a role in place of those of the models' own kinds: {role: {model: engine}}."""

_CONTRACTS: dict[Role, Any] = {
    "scored": Scored,
    "trained": Trained,
    "sampled": Sampled,
    "searched": Searched,
    "prompted": Prompted,
}
_MOVABLE: tuple[Role, ...] = ("sampled", "searched")

E = TypeVar("E")


@dataclass(frozen=True)
class Bindings:
    """The engine of each model in each role; a model that lacks a role is not in its table."""

    scored: Mapping[str, Scored]
    trained: Mapping[str, Trained]
    sampled: Mapping[str, Sampled]
    searched: Mapping[str, Searched]
    prompted: Mapping[str, Prompted]

    @classmethod
    def of(cls, program: Program, own: Mapping[str, object], elsewhere: Elsewhere) -> "Bindings":
        """Those of a program's models.

        Args:
            own: the engine of each model's kind.

        Raises:
            InputError: an engine lacks what its role asks of it, or there is no such model.
        """
        for role, engines in elsewhere.items():
            for model, engine in engines.items():
                _require(program, role, model, engine, own)
        tables: dict[str, dict[str, Any]] = {}
        for role, contract in _CONTRACTS.items():
            engines = {**own, **elsewhere.get(role, {})}
            tables[role] = {m: e for m, e in engines.items() if isinstance(e, contract)}
        bound = cls(**tables)
        for model in own:
            spec = program.models[model]
            wanted: list[Role] = [] if spec.likelihood == "none" else ["scored"]
            wanted += ["trained", "scored"] if spec.is_trained else []
            for role in wanted:
                if model not in tables[role]:
                    raise InputError(
                        f"model {model!r}: the engine of kind {spec.kind!r} "
                        f"({type(own[model]).__name__}) {_lacks(role, own[model])}"
                    )
        return bound

    def receivers(self, model: str) -> tuple[Receiving, ...]:
        """The engines that use the model's weights and are not the one that trains them."""
        trained: object = self.trained.get(model)
        users = (self.sampled.get(model), self.searched.get(model))
        others = {id(user): user for user in users if user is not None and user is not trained}
        return tuple(cast("Receiving", other) for other in others.values())


def _require(
    program: Program, role: Role, model: str, engine: object, own: Mapping[str, object]
) -> None:
    """Refuses an engine from outside that cannot play its role for a model."""
    if role not in _MOVABLE:
        legal = " and ".join(_MOVABLE)
        raise InputError(f"{role!r} is no role of an engine elsewhere: {legal} are")
    if model not in own:
        raise InputError(f"an engine was given for model {model!r}; the system has {[*own]}")
    contracts = [role, *(["receiving"] if program.models[model].is_trained else [])]
    for contract in contracts:
        lacks = _lacks(contract, engine)
        if lacks:
            raise InputError(f"model {model!r}: {type(engine).__name__} {lacks}")


def _lacks(role: str, engine: object) -> str:
    """What an engine lacks of a contract, in words; nothing where it fulfils it."""
    contract = Receiving if role == "receiving" else _CONTRACTS[cast("Role", role)]
    names = [name for name in vars(contract) if not name.startswith("_")]
    missing = [name for name in names if not hasattr(engine, name)]
    return f"has no {', '.join(missing)}: it cannot be {role}" if missing else ""
