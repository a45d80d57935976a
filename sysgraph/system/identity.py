"""Whose saved weights are: a small file beside them, and what it says against another system."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sysgraph_compiler import Program

from ..support.changes import changes, listed
from ..support.errors import InputError
from ..support.files import damaged, read_json, write_text

FILE = "sysgraph.json"
_PROGRAM = "program.json"
_RUN = ("models", "variables", "parsers")
"""The parts of a program that decide what it runs."""
_ALIKE = (
    *(".learning_rate ", ".gradient_checkpointing ", ".sampler ", ".sampler.server "),
    *(".device ", ".shard "),
)
"""Keys of models that change nothing of what they run: how they were trained, who draws, where."""
_REMEDY = "put it back as it was, or train again"


@dataclass(frozen=True)
class Identity:
    """A trained model and what it was trained from.

    Attributes:
        model: its name in the graph.
        train: how it was trained.
        id: of the base, as the graph names it; None: the graph itself declares it.
        revision: of the base.
        dtype: as the graph says it.
        digest: of the base's weights as they were loaded.
        load_in: what they were rounded to then, as the graph says it.
    """

    model: str
    train: str
    id: str | None
    revision: str | None
    dtype: str | None
    digest: str
    load_in: str | None = None

    def write(self, folder: Path) -> None:
        """Puts it beside the weights in `folder`."""
        write_text(folder / FILE, json.dumps(asdict(self), indent=2) + "\n")

    def problem(self, saved: "Identity") -> str | None:
        """Why weights with the identity `saved` are not this model's, or None."""
        if saved.model != self.model:
            return (
                f"they were trained as model {saved.model!r}: were the folders of two models "
                f"swapped? If only its name in the graph has changed, change it in {FILE} there too"
            )
        if saved.train != self.train:
            return f"they were trained with `train: {saved.train}`, the graph has {self.train!r}"
        if saved.load_in != self.load_in:
            then, now = (_loaded_in(one.load_in) for one in (saved, self))
            return f"they were trained on a base {then}, and the graph's is loaded {now}"
        # In another type, the same base has another digest.
        named = (saved.id, saved.revision) == (self.id, self.revision)
        if saved.digest == self.digest or (named and saved.dtype != self.dtype):
            return None
        if named:
            return (
                f"{self._base()} has other weights than they were trained on (digest "
                f"{saved.digest} then, {self.digest} now): put the former ones back"
            )
        return (
            f"they were trained on {saved._base()} (digest {saved.digest}), the graph's is "
            f"{self._base()} (digest {self.digest})"
        )

    def _base(self) -> str:
        if self.id is None:
            return "the table that the graph declares"
        revision = f" at revision {self.revision!r}" if self.revision else ""
        return f"base {self.id!r}{revision} in dtype {self.dtype!r}"


def _loaded_in(bits: str | None) -> str:
    return f"with `load_in: {bits}`" if bits else "without `load_in`"


def identity_of(program: Program, model: str, digest: str) -> Identity:
    """The identity of a program's model on a base of that digest."""
    spec = program.models[model]
    base = spec.base
    if base is None:
        return Identity(model, spec.training, None, None, None, digest)
    return Identity(model, spec.training, base.id, base.revision, base.dtype, digest, base.load_in)


def require_own(own: Identity, folder: Path) -> None:
    """Refuses weights of another model or base; older folders, and peft's own, do not say.

    Raises:
        InputError: they are, or the file that says so is damaged.
    """
    file = folder / FILE
    if not file.is_file():
        return
    found = read_json(file, _REMEDY)
    try:
        saved = Identity(**found)
    except TypeError as error:
        raise damaged(file, f"it does not say whose weights these are ({error})", _REMEDY) from None
    problem = own.problem(saved)
    if problem is not None:
        raise InputError(f"the weights in {folder} are not those of model {own.model!r}: {problem}")


# ---- runs


def program_of(root: Path) -> Mapping[str, Any] | None:
    """The program of the run whose `models` folder, or that itself, is `root`, if it is a run's.

    Raises:
        InputError: it is damaged.
    """
    file = next((f for f in (root / _PROGRAM, root.parent / _PROGRAM) if f.is_file()), None)
    if file is None:
        return None
    program = read_json(file, _REMEDY)
    try:
        trained_in(program)
    except (TypeError, KeyError, AttributeError) as error:
        raise damaged(file, f"it is no program of a run ({error!r})", _REMEDY) from None
    return program


def trained_in(program: Mapping[str, Any]) -> tuple[str, ...]:
    """The models that a run's program trained."""
    terms = [term for term in program["terms"] if term["status"] == "trained"]
    return tuple(dict.fromkeys(str(term["model"]) for term in terms))


def require_all(
    program: Program, found: Mapping[str, Path], run: Mapping[str, Any] | None, folder: Path | str
) -> None:
    """Refuses a folder without the weights of a model that was trained.

    Args:
        program: whose models are to be loaded.
        found: their folders, by model.
        run: the program of the run that they come from; None: not known, all were trained.
        folder: as the user named it.

    Raises:
        InputError: one is missing, or was trained and is frozen now.
    """
    used = {term.model for term in program.terms}
    trainable = {m for m, spec in program.models.items() if spec.is_trained}
    trained = trainable & used if run is None else set(trained_in(run))
    still = sorted((trained & used) - trainable)
    if still:
        raise InputError(
            f"{folder}: model {still[0]!r} was trained there, and the graph has it `train: frozen`,"
            " which would leave it untrained: give it the `train` that it had"
        )
    missing = [name for name in program.models if name in (trained & used) - found.keys()]
    if missing:
        several = ", ".join(map(repr, missing))
        raise InputError(
            f"{folder} has no weights for model {several}, which would run untrained: put "
            f"{missing[0]!r} back, or have it `train: frozen`"
        )


def differences(then: Mapping[str, Any], now: Mapping[str, Any]) -> str | None:
    """How the program of a run differs from another in what it runs, in a few words."""
    sides = [{part: program.get(part) for part in _RUN} for program in (then, now)]
    found = [text for text in changes(*sides) if not any(key in text for key in _ALIKE)]
    return listed(found) if found else None
