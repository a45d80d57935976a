"""The models of a program, resident: they score requests, draw and search, and are saved."""

import json
from collections import defaultdict
from collections.abc import Hashable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from sysgraph_compiler import Program
from sysgraph_compiler.planning import call_of

from ..engines import (
    Asking,
    Counting,
    Draw,
    Exported,
    Fingerprinted,
    Listener,
    Pass,
    Prompted,
    Refused,
    Request,
    Sampled,
    Scored,
    Search,
    Searched,
    Telling,
    Tokenwise,
    Work,
    choices,
)
from ..engines.base import Base, Divisible, Foreseen, Rehearsed, Whole
from ..engines.changes import Changes
from ..engines.passes import total
from ..engines.sharding import Sharding
from ..support.changes import listed
from ..support.device import default_device, numbered
from ..support.errors import InputError, RunError
from ..support.files import component
from ..support.grouping import grouped, in_groups
from ..support.manifest import MANIFEST, require_whole
from ..support.progress import Reporter
from ..support.servers import Servers
from ..tools import record, toolbox_of
from ..traces.pictures import Picture
from ..traces.prompt import Context
from ..traces.trace import Completion
from .binding import Bindings, Elsewhere
from .engines import own_engines, with_servers
from .identity import Identity, differences, identity_of, program_of, require_all, require_own
from .pictures import require_pictures
from .places import on_places, places

E = TypeVar("E")


class Models:
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
            _saved_models(program, model_dir)
        self.program = program
        self.device = torch.device(device) if device else default_device()
        used = {term.model for term in program.terms}
        models = {name: spec for name, spec in program.models.items() if name in used}
        self.places = places(models, self.device)
        """The devices of models that say where they live; all others are on `device`."""
        self._engines = own_engines(
            program,
            on_places(models, self.places, self.device),
            device=self.device,
            seed=seed,
            endpoints=endpoints or {},
            sharding=sharding,
        )
        bound = with_servers(program, self._engines, elsewhere or {}, servers or Servers())
        require_pictures(program, self._engines)
        self._bound = Bindings.of(program, self._engines, bound)
        self._requests = 0
        """Requests to hosted models under way at a time, where somebody said how many."""
        self._changes: dict[str, Changes] = {}
        self._moved: set[str] = set()
        """The models whose reference is a snapshot."""
        self.warnings = tuple(_oddities(program, self._bound.prompted))
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

    # ---- asking

    def score(self, flat: Sequence[Request], *, reference: bool = False) -> Tensor:
        """Log p(value | context) of each request: [len(flat)], nats, float32."""
        return choices.scored(flat, lambda each: self._score(each, reference=reference))

    def passes(
        self, flat: Sequence[Request], *, reference: bool = False, gradients: bool = False
    ) -> list[Pass]:
        """What gives the log p of requests, options as they are: see `Scored.passes`.

        The compiler says which of them are one call.
        """
        out = []
        for indices in self.calls(flat, reference=reference):
            engine = self._scored(flat[indices[0]])
            found = engine.passes(
                [flat[i] for i in indices], reference=reference, gradients=gradients
            )
            out += [replace(one, rows=tuple(indices[r] for r in one.rows)) for one in found]
        return out

    def calls(self, flat: Sequence[Request], *, reference: bool) -> list[list[int]]:
        """The indices of those requests that are scored under the same weights, in their order."""
        of_model = {
            model: call_of(self.program, model, reference=reference, snapshot=model in self._moved)
            for model in {request.model for request in flat}
        }
        return grouped(flat, lambda request: of_model[request.model])

    def fingerprint(self, request: Request) -> str | None:
        """Tells what log p_ref of a request depends on: see `Fingerprinted`.

        None where its model's kind does not say, and where its reference is a snapshot, which no
        other run has.
        """
        engine = self._scored(request)
        if request.model in self._moved or not isinstance(engine, Fingerprinted):
            return None
        return engine.fingerprint(request)

    def _scored(self, asked: Request | Draw) -> Scored:
        """The engine that scores its model."""
        return self._able(self._bound.scored, asked.model, "has no likelihood")

    def _score(self, flat: Sequence[Request], *, reference: bool) -> Tensor:
        with torch.set_grad_enabled(torch.is_grad_enabled() and not reference):
            return total(self.passes(flat, reference=reference), len(flat), self.device)

    def search(self, searches: Sequence[Search]) -> list[list[Completion]]:
        """The texts that (diverse) beam searches find under the policy: see `Searched.search`.

        Of a choice, its likeliest options.

        Raises:
            InputError: a prompt does not fit its model, or a model has no beam search.
            RunError: as for `draw`, or a model gives logits that are not finite.
        """

        def found(several: Sequence[Search]) -> Sequence[list[Completion]]:
            if several[0].options:
                return choices.likeliest(several, self._score_options)
            return self._searched(several[0].model).search(several)

        self._pass_on(searches)
        return in_groups(searches, self._searcher, found)

    def draw(
        self, draws: Sequence[Draw], *, batch_size: int | None = None
    ) -> list[Completion | Picture]:
        """One value per draw from the policy: see `Sampled.sample`; of a choice, an option.

        Raises:
            InputError: a prompt does not fit its model, or a model cannot score an option.
            RunError: a model gives no distribution: its weights are NaN, or no option of a choice
                has any probability; or its server gives nothing.
        """
        out: list[Completion | Picture] = []
        for one in self.attempt(draws, batch_size=batch_size):
            if isinstance(one, Refused):
                raise RunError(one.why)
            out.append(one)
        return out

    def attempt(
        self,
        draws: Sequence[Draw],
        *,
        batch_size: int | None = None,
        heard: Mapping[int, Sequence[Listener]] | None = None,
    ) -> list[Completion | Picture | Refused]:
        """`draw`, with what servers would not give a value for.

        Args:
            heard: by a draw's seed, all who listen; see `Telling`. Other engines tell nothing.
        """

        def drawn(several: Sequence[Draw]) -> Sequence[Completion | Picture | Refused]:
            if several[0].options:
                return choices.drawn(several, self.program.models, self._score_options)
            return self._sampled_by(several[0].model).sample(several, batch_size=batch_size)

        self._pass_on(draws)
        with ExitStack() as stack:
            together = {seed: _together(several) for seed, several in (heard or {}).items()}
            engines = {id(one): one for one in self._bound.sampled.values()} if heard else {}
            for engine in engines.values():
                if isinstance(engine, Telling):
                    stack.enter_context(engine.telling(together))
            return in_groups(draws, self._sampler, drawn)

    def refusal(self, draw: Draw) -> str | None:
        """Why `draw` would refuse it (an empty prompt, one beyond the window), or None."""
        if not draw.options:
            return self._sampled_by(draw.model).refusal(draw)
        problems = map(self._scored(draw).problem, choices.option_requests(draw))
        return next(filter(None, problems), None)

    def shown(self, model: str, context: Context) -> str:
        """What a model is sent for a context, as text, special tokens included."""
        engine = self._bound.prompted.get(model)
        if engine is not None:
            return engine.shown(model, context)
        turns = [("", context)] if isinstance(context, str) else context
        return "\n".join(f"{role}: {text}" if role else text for role, text in turns)

    def require_servers(self) -> None:
        """Refuses to go on where it is not known what server to ask for a model: InputError."""
        for engine in self._asking():
            engine.require()

    def ask_at_once(self, requests: int) -> None:
        """Has so many requests to hosted models under way at a time, and inputs enough for them."""
        self._requests = requests
        for engine in self._asking():
            engine.ask_at_once(requests)

    def _asking(self) -> list[Asking]:
        """The engines that ask servers."""
        engines = {id(engine): engine for engine in self._bound.sampled.values()}
        return [engine for engine in engines.values() if isinstance(engine, Asking)]

    def room(self, model: str) -> int | None:
        """Values that one call of a model draws at once; None: that depends on the values."""
        sampler = self._bound.sampled.get(model)
        return sampler.room(model) if sampler is not None else None

    def sync(self, model: str) -> None:
        """Passes the weights of a model on to engines elsewhere, where they may have changed.

        `draw` and `search` do; there is no need to, but to have it done by a certain time.
        """
        receivers = self._bound.receivers(model)
        if not receivers or model not in self._bound.trained:
            return
        trained = self._bound.trained[model]
        parameters = trained.parameters(model)
        if not parameters:
            return
        if model not in self._changes:
            self._changes[model] = Changes(parameters.values())
        if self._changes[model].since_last_time():
            with self._gathered(model, here=True):
                for receiver in receivers:
                    receiver.receive(model, trained)

    def sync_all(self) -> None:
        """`sync` of all trained models.

        All processes of a run do it at once before they draw shares, of which one may be empty: a
        divided adapter is put together by all.
        """
        for model in self.trained():
            self.sync(model)

    def _pass_on(self, asked: Sequence[Draw | Search]) -> None:
        for model in dict.fromkeys(one.model for one in asked if not one.options):
            self.sync(model)

    # Equal for what one engine answers in one call, and for choices, which none does.

    def _sampler(self, asked: Draw) -> Hashable:
        return None if asked.options else id(self._sampled_by(asked.model))

    def _searcher(self, asked: Search) -> Hashable:
        return None if asked.options else id(self._searched(asked.model))

    def _sampled_by(self, model: str) -> Sampled:
        return self._able(self._bound.sampled, model, "gives choices alone")

    def _searched(self, model: str) -> Searched:
        can = model in self._bound.sampled
        why = "has no beam search: sample it" if can else "gives choices alone"
        return self._able(self._bound.searched, model, why)

    def _able(self, engines: Mapping[str, E], model: str, why: str) -> E:
        """The model's engine, of those that can do what is asked."""
        if model in engines:
            return engines[model]
        raise InputError(f"{self.program.models[model].kind} model {model!r} {why}")

    @torch.no_grad()
    def _score_options(self, flat: Sequence[Request]) -> Tensor:
        for request in flat:
            problem = self._scored(request).problem(request)
            if problem is not None:
                raise InputError(problem)
        return self._score(flat, reference=False)

    def problem(self, request: Request) -> str | None:
        """Why a request cannot be scored, or None."""
        if request.model not in self._bound.scored:
            return f"{self.program.models[request.model].kind} models have no likelihood"
        engine = self._scored(request)
        if not request.options:
            return engine.problem(request)
        found = (engine.problem(option) for option in choices.option_requests(request))
        return choices.problem(request) or next(filter(None, found), None)

    def warning(self, request: Request) -> str | None:
        """What is odd about a request that can be scored, or None."""
        return self._scored(request).warning(request)

    def length(self, request: Request) -> int:
        """Number of tokens that `score` sums over; 1 for a choice."""
        return 1 if request.options else self._scored(request).length(request)

    def prompt_length(self, model: str, context: Context) -> int | None:
        """Number of tokens that a model is sent for a context; None: that is not known here."""
        engine = self._engines[model]
        return engine.prompt_length(model, context) if isinstance(engine, Tokenwise) else None

    def is_cut(self, request: Request) -> bool:
        """Whether the length limit ended a text that was sampled, as far as that is known."""
        engine = self._engines[request.model]
        return isinstance(engine, Tokenwise) and engine.is_cut(request)

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

    def work(self) -> Work:
        """The tokens that this process's models were run on so far: scored, trained, drawn.

        Differences of two such say what was run between. Kinds that do not count add nothing.
        """
        engines = {id(engine): engine for engine in self._engines.values()}
        counted = (one.work() for one in engines.values() if isinstance(one, Counting))
        return sum(counted, Work())

    # ---- weights

    def digests(self) -> dict[str, str]:
        """A digest of each model's weights before training: equal where those are."""
        return {model: self.digest(model) for model in self._bound.scored}

    def trained(self) -> tuple[str, ...]:
        """Models that have something to train and whose terms are trained, in the graph's order."""
        trained = {term.model for term in self.program.terms if term.status == "trained"}
        return tuple(name for name in self.program.models if name in trained)

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

    def _gathered(self, model: str, *, here: bool) -> AbstractContextManager[None]:
        engine = self._bound.trained[model]
        return engine.gathered(model, here=here) if isinstance(engine, Divisible) else nullcontext()

    def load(self, folder: Path | str) -> None:
        """Reads what `save` wrote, or the `models` folder of a run.

        Raises:
            InputError: the folder lacks the weights of one of the models, or they do not fit, or
                are another model's or on another base.
        """
        found = _saved_models(self.program, folder)
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


def _together(several: Sequence[Listener]) -> Listener:
    """All who listen to equal draws, as one."""
    hears = [one.hear for one in several if one.hear is not None]

    def hear(text: str) -> None:
        for one in hears:
            one(text)

    return Listener(lambda: any(one.waits() for one in several), hear if hears else None)


def _oddities(program: Program, engines: Mapping[str, Prompted]) -> Iterator[str]:
    """What chat templates do to the messages of nodes, each model and kind of prompt once.

    Raises:
        InputError: a template does not take a node's messages.
    """
    nodes: dict[tuple[str, tuple[str, ...]], list[str]] = defaultdict(list)
    for variable in program.variables:
        model = program.model_of(variable.name)
        if model is not None and variable.messages:
            roles = tuple(role for part in variable.messages for role in part.roles.values())
            nodes[model, roles].append(variable.node)
    for (model, roles), several in nodes.items():
        where = f"{', '.join(dict.fromkeys(several))}: model {model!r}"
        if model not in engines or not roles:
            continue
        try:
            yield from (f"{where}: {odd}" for odd in engines[model].oddities(model, roles))
        except InputError as error:
            raise InputError(f"{where}: {error}") from error


_REMEDY = "put it back as it was, or train again"


def _saved_models(program: Program, folder: Path | str) -> dict[str, Path]:
    """The folders of a program's models in a run, or in the `models` folder of one."""
    root = Path(folder)
    root = root / "models" if (root / "models").is_dir() else root
    trainable = [name for name, spec in program.models.items() if spec.is_trained]
    found = {name: root / component(name) for name in trainable}
    found = {name: path for name, path in found.items() if path.is_dir()}
    if (root / MANIFEST).is_file():
        require_whole(root, _REMEDY)
    if not found:
        raise InputError(
            f"{folder} holds no trained models of this system (a folder for one of "
            f"{', '.join(trainable) or 'none: every model is frozen'}, or `models` with them)"
        )
    require_all(program, found, program_of(Path(folder)), folder)
    return found
