"""The models of a program, resident: they score requests, draw and search, and are saved."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from sysgraph_compiler import Program

from ..engines import (
    Draw,
    Exported,
)
from ..engines.base import Base, Foreseen, Rehearsed, Whole
from ..engines.sharding import Sharding
from ..support.changes import listed
from ..support.device import default_device, numbered
from ..support.errors import InputError
from ..support.files import component
from ..support.progress import Reporter
from ..support.servers import Servers
from ..tools import record, toolbox_of
from ..traces.pictures import Picture
from ..traces.trace import Completion
from .binding import Bindings, Elsewhere
from .drawing import Drawing
from .engines import own_engines, with_servers
from .identity import Identity, differences, identity_of, program_of, require_own
from .oddities import oddities
from .pictures import require_pictures
from .places import on_places, places
from .saved import saved_models


class Models(Drawing):
    """Every model that a program's terms name, each with the engine of its kind.

    See `System` for the arguments.
    """

    def __init__(
        self,
        program: Program,
        *,
        device: torch.device | str | None,
        seed: int | None,
        model_dir: Path | str | None,
        elsewhere: Elsewhere | None = None,
        endpoints: Mapping[str, str] | None = None,
        servers: Servers | None = None,
        sharding: Sharding | None = None,
    ) -> None:
        # What is wrong with tools or a folder is told before models are loaded.
        toolbox_of(program)
        if model_dir is not None:
            saved_models(program, model_dir)
        where = torch.device(device) if device else default_device()
        used = {term.model for term in program.terms}
        models = {name: spec for name, spec in program.models.items() if name in used}
        self.places = places(models, where)
        """The devices of models that say where they live; all others are on `device`."""
        engines = own_engines(
            program,
            on_places(models, self.places, where),
            device=where,
            seed=seed,
            endpoints=endpoints or {},
            sharding=sharding,
        )
        others = with_servers(program, engines, elsewhere or {}, servers or Servers())
        require_pictures(program, engines)
        super().__init__(program, where, engines, Bindings.of(program, engines, others))
        self.warnings = tuple(oddities(program, self._bound.prompted))
        if model_dir is not None:
            self.load(model_dir)

    @property
    def devices(self) -> tuple[torch.device, ...]:
        """Those that models are on, and what they give; each once."""
        return tuple(dict.fromkeys([numbered(self.device), *self.places.values()]))

    def tell(self, reporter: Reporter) -> None:
        """Shows `warnings`: what chat templates do to nodes' messages; later, what servers do."""
        for engine in self._asking():
            engine.report_to(reporter)
        for text in self.warnings:
            reporter.warning(text)

    # ---- before anything runs

    def bases(self) -> list[Base]:
        """The checkpoints in memory; of kinds that do not tell, none."""
        engines = {id(engine): engine for engine in self._engines.values()}
        told = [one for one in engines.values() if isinstance(one, Foreseen)]
        return [base for one in told for base in one.bases()]

    def whole(self, model: str) -> Whole:
        """What of a model would be divided over processes; nothing of a kind that does not tell."""
        engine = self._engines[model]
        return engine.whole(model) if isinstance(engine, Foreseen) else Whole(0, 0)

    def made_up(self, draw: Draw) -> Completion | Picture:
        """A value as large as a model's get: see `Rehearsed`."""
        engine = self._engines[draw.model]
        if isinstance(engine, Rehearsed):
            return engine.made_up(draw)
        spec = self.program.models[draw.model]
        if spec.outcomes:
            return Completion(spec.outcomes[draw.seed % len(spec.outcomes)])
        return Completion(f"{draw.seed} " + "word " * (draw.decoding.max_new_tokens or 64))

    def rehearse(self, draws: Sequence[Draw], *, copies: int = 1) -> int | None:
        """Runs what drawing from one model holds at its most; see `Rehearsed`.

        None: it takes nothing here, or that is not known.
        """
        engine = self._engines[draws[0].model]
        return engine.rehearse(draws, copies=copies) if isinstance(engine, Rehearsed) else None

    # ---- weights

    def digests(self) -> dict[str, str]:
        """A digest of each model's weights before training: equal where those are."""
        return {model: self.digest(model) for model in self._bound.scored}

    def parameters(self, model: str) -> dict[str, nn.Parameter]:
        """The trainable parameters of one model by stable names."""
        return self._bound.trained[model].parameters(model)

    def set_reference(self, model: str, weights: dict[str, Tensor] | None) -> None:
        """Makes `weights` the reference of one model; None: the model as it was before training."""
        self._bound.trained[model].set_reference(model, weights)
        (self._moved.discard if weights is None else self._moved.add)(model)

    def digest(self, model: str) -> str:
        """Tells what one model was before training from any other weights."""
        return self._bound.scored[model].digest(model)

    def save(self, folder: Path, *, here: bool = True) -> None:
        """Writes one folder per trained model: a peft adapter, or a whole checkpoint.

        Args:
            here: whether in this process: where models are divided, all processes call it, for one
                to write.
        """
        for model in self.trained():
            path = folder / component(model)
            with self._gathered(model, here=here):
                if here:
                    self._bound.trained[model].save(model, path)
                    self._identity(model).write(path)

    def load(self, folder: Path | str) -> None:
        """Reads what `save` wrote, or the `models` folder of a run.

        Raises:
            InputError: the folder lacks the weights of one of the models, or they do not fit, or
                are another model's or on another base.
        """
        found = saved_models(self.program, folder)
        for model, saved in found.items():
            require_own(self._identity(model), saved)
        for model, saved in found.items():
            self._bound.trained[model].load(model, saved)
        root = Path(folder)
        run = program_of(root)
        tools = toolbox_of(self.program).fingerprints
        changed = run and (
            differences(run, json.loads(self.program.to_json()))
            or listed([*record.changed(root, tools), *record.changed(root.parent, tools)])
        )
        if changed:
            Reporter().line(f"warning: the system in {folder} was another when trained: {changed}")

    def export(self, model: str, adapter: Path, whole: Path, *, merge: bool) -> Mapping[str, Any]:
        """Writes what a trained model's base does not have: see `Exported.export`.

        Raises:
            InputError: its kind cannot be exported, or not merged.
        """
        engine = self._engines[model]
        if not isinstance(engine, Exported):
            kind = self.program.models[model].kind
            raise InputError(f"model {model!r}: models of kind {kind!r} cannot be exported")
        return engine.export(model, adapter, whole, merge=merge)

    def _identity(self, model: str) -> Identity:
        return identity_of(self.program, model, self.digest(model))
