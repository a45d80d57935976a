"""A compiled system with its models resident: sample traces, score traces."""

from collections import Counter, defaultdict
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from sysgraph_compiler import Program, Variable

from . import choices
from .engines import Draw, Engine, Request, Sampler, Search, Searcher, engine_of
from .engines.grouping import grouped, in_groups
from .engines.seeding import derive
from .errors import InputError
from .forward import Course, Unobserved, complete, context, requests
from .pictures import Picture
from .tools import toolbox_of
from .trace import Completion, Trace, input_names

E = TypeVar("E")


class System:
    """The models of a program, loaded once and shared by everything that runs it.

    Args:
        program: what `sysgraph.compile` gave.
        device: where the models live; default: an accelerator if there is one.
        seed: initial adapters depend on it; default: the program's `fit.seed`.
        model_dir: a run whose trained models to use, as `load` does.

    Raises:
        InputError: a tool or a model cannot be loaded, or `model_dir` holds no models.
    """

    def __init__(
        self,
        program: Program,
        *,
        device: torch.device | str | None = None,
        seed: int | None = None,
        model_dir: Path | str | None = None,
    ) -> None:
        # What is wrong with tools or a folder is told before models are loaded.
        toolbox_of(program)
        if model_dir is not None:
            _saved_models(program, model_dir)
        self.program = program
        self.device = torch.device(device) if device else default_device()
        self._models = {term.variable: term.model for term in program.terms}
        used = set(self._models.values())
        by_kind: dict[str, dict[str, Any]] = defaultdict(dict)
        for name, spec in program.models.items():
            if name in used:
                by_kind[spec.kind][name] = spec
        self._engines: dict[str, Engine] = {}
        for kind, specs in by_kind.items():
            engine = engine_of(kind)(
                specs, device=self.device, seed=program.fit.seed if seed is None else seed
            )
            self._engines.update(dict.fromkeys(specs, engine))
        engines = self._engines.items()
        self._samplers: dict[str, Sampler] = {m: e for m, e in engines if isinstance(e, Sampler)}
        self._searchers: dict[str, Searcher] = {m: e for m, e in engines if isinstance(e, Searcher)}
        self._generations = _generations(program)
        if model_dir is not None:
            self.load(model_dir)

    # ---- scoring

    def log_prob(self, traces: Sequence[Trace], *, reference: bool = False) -> dict[str, Tensor]:
        """Each node's log p(value | parents): {node name: [len(traces)]}.

        Nats, summed over tokens, float32. Deterministic nodes, and what never came to be (a gate
        was off, a text was rejected), give 0. Gradients reach the policy's trained parameters only.

        Raises:
            InputError: a trace has a node that was not observed, or a value no model can score.
        """
        where: list[tuple[str, int]] = []
        flat: list[Request] = []
        for index, trace in enumerate(traces):
            try:
                for variable, request in requests(self.program, complete(self.program, trace)):
                    where.append((variable, index))
                    flat.append(request)
            except Unobserved as error:
                raise InputError(
                    f"trace {index}: {error} was not observed; its log-probability is a sum over "
                    "all its values, which this method does not compute"
                ) from error
        for (variable, index), request in zip(where, flat, strict=True):
            problem = self.problem(request)
            if problem is not None:
                raise InputError(f"trace {index}: {variable}: {problem}")
        return self._by_term(where, self.score(flat, reference=reference), len(traces))

    def score(self, flat: Sequence[Request], *, reference: bool = False) -> Tensor:
        """Log p(value | context) of each request: [len(flat)], nats, float32."""
        return choices.scored(flat, lambda each: self._score(each, reference=reference))

    def _score(self, flat: Sequence[Request], *, reference: bool) -> Tensor:
        out = torch.zeros(len(flat), device=self.device)
        with torch.set_grad_enabled(torch.is_grad_enabled() and not reference):
            for indices in grouped(flat, lambda request: id(self._engines[request.model])):
                engine = self._engines[flat[indices[0]].model]
                values = engine.log_prob([flat[i] for i in indices], reference=reference)
                out = out.index_copy(0, torch.tensor(indices, device=self.device), values)
        return out

    def search(self, searches: Sequence[Search]) -> list[list[Completion]]:
        """The texts that (diverse) beam searches find under the policy: see `Searcher.search`.

        Of a choice, its likeliest options.

        Raises:
            InputError: a prompt does not fit its model, or a model has no beam search.
            RunError: as for `draw`, or a model gives logits that are not finite.
        """

        def found(several: Sequence[Search]) -> Sequence[list[Completion]]:
            if several[0].options:
                return choices.likeliest(several, self._score_options)
            return self._able(self._searchers, several[0].model).search(several)

        return in_groups(searches, self._answerer, found)

    def draw(
        self, draws: Sequence[Draw], *, batch_size: int | None = None
    ) -> list[Completion | Picture]:
        """One value per draw from the policy: see `Sampler.sample`; of a choice, an option.

        Raises:
            InputError: a prompt does not fit its model, or a model cannot score an option.
            RunError: a model gives no option of a choice any probability.
        """

        def drawn(several: Sequence[Draw]) -> Sequence[Completion | Picture]:
            if several[0].options:
                return choices.drawn(several, self.program.models, self._score_options)
            sampler = self._able(self._samplers, several[0].model)
            return sampler.sample(several, batch_size=batch_size)

        return in_groups(draws, self._answerer, drawn)

    def _answerer(self, asked: Draw | Search) -> Hashable:
        """Equal for what one engine answers in one call, and for choices, which none does."""
        return None if asked.options else id(self._engines[asked.model])

    def _able(self, engines: Mapping[str, E], model: str) -> E:
        """The model's engine, of those that can do what is asked."""
        if model in engines:
            return engines[model]
        why = "has no beam search: sample it" if model in self._samplers else "gives choices alone"
        raise InputError(f"{self.program.models[model].kind} model {model!r} {why}")

    @torch.no_grad()
    def _score_options(self, flat: Sequence[Request]) -> Tensor:
        for request in flat:
            problem = self._engines[request.model].problem(request)
            if problem is not None:
                raise InputError(problem)
        return self._score(flat, reference=False)

    def _by_term(
        self, where: list[tuple[str, int]], values: Tensor, count: int
    ) -> dict[str, Tensor]:
        rows = {term.variable: i for i, term in enumerate(self.program.terms)}
        flat = torch.zeros(len(rows) * count, device=self.device)
        if where:
            index = torch.tensor([rows[v] * count + i for v, i in where], device=self.device)
            flat = flat.index_copy(0, index, values)
        return dict(zip(rows, flat.view(len(rows), count), strict=True))

    def problem(self, request: Request) -> str | None:
        """Why a request cannot be scored, or None."""
        engine = self._engines[request.model]
        if not request.options:
            return engine.problem(request)
        found = (engine.problem(option) for option in choices.option_requests(request))
        return choices.problem(request) or next(filter(None, found), None)

    def warning(self, request: Request) -> str | None:
        """What is odd about a request that can be scored, or None."""
        return self._engines[request.model].warning(request)

    def length(self, request: Request) -> int:
        """Number of tokens that `score` sums over; 1 for a choice."""
        return 1 if request.options else self._engines[request.model].length(request)

    # ---- sampling

    def sample(
        self,
        inputs: Mapping[str, Any] | Sequence[Mapping[str, Any]],
        n: int = 1,
        seed: int = 0,
        *,
        batch_size: int | None = None,
        occurrences: Sequence[int] | None = None,
    ) -> list[Trace]:
        """Draws `n` traces per input from the current policy, input by input.

        A trace depends on `seed`, its input and its number among that input's traces, never on what
        is drawn beside it or on `batch_size` (rows per call of a model; default: by memory).

        Args:
            occurrences: how many rows equal to each come before it, where `inputs` are a part of
                more rows (see `occurrences_of`); equal rows are told apart by it.

        Raises:
            InputError: an input is missing or no text, or a prompt does not fit its model.
        """
        rows = [inputs] if isinstance(inputs, Mapping) else list(inputs)
        if occurrences is None:
            occurrences = occurrences_of(self.program, rows)
        traces, keys = [], []
        for row, before in zip(rows, occurrences, strict=True):
            trace = self._start(row)
            text = repr(sorted(trace.inputs.items()))
            traces += [trace] * n
            keys += [derive(seed, text, before * n + k) for k in range(n)]
        courses = [Course(self.program, trace.inputs) for trace in traces]
        for generation in self._generations:
            self._advance(generation, courses, keys, batch_size)
        return [course.trace(trace) for course, trace in zip(courses, traces, strict=True)]

    def _advance(
        self,
        generation: tuple[Variable, ...],
        courses: Sequence[Course],
        keys: Sequence[int],
        batch_size: int | None,
    ) -> None:
        """Fills in the variables of one generation, whose parents are all settled."""
        where: list[tuple[Course, str]] = []
        draws: list[Draw] = []
        for course, key in zip(courses, keys, strict=True):
            for variable in generation:
                model = self._models[variable.name]
                if course.settle(variable) and model is not None:
                    where.append((course, variable.name))
                    prompt, seed = context(variable, course), derive(key, variable.name)
                    draws.append(Draw(model, prompt, seed, variable.options))
        drawn = self.draw(draws, batch_size=batch_size)
        for (course, name), completion in zip(where, drawn, strict=True):
            course.values[name] = completion

    def _start(self, row: Mapping[str, Any]) -> Trace:
        names = input_names(self.program)
        for name in names:
            if not isinstance(row.get(name), str):
                raise InputError(
                    f"input {name!r} is {'missing' if name not in row else 'no text'}: the system "
                    f"takes {', '.join(names)}"
                )
        extra = {key: value for key, value in row.items() if key not in names}
        return Trace({name: row[name] for name in names}, {}, self.program.outputs, extra=extra)

    # ---- weights

    def trained(self) -> tuple[str, ...]:
        """Models that have something to train and whose terms are trained, in the graph's order."""
        trained = {term.model for term in self.program.terms if term.status == "trained"}
        return tuple(name for name in self.program.models if name in trained)

    def parameters(self, model: str) -> dict[str, nn.Parameter]:
        """The trainable parameters of one model by stable names."""
        return self._engines[model].parameters(model)

    def set_reference(self, model: str, weights: dict[str, Tensor] | None) -> None:
        """Makes `weights` the reference of one model; None: the model as it was before training."""
        self._engines[model].set_reference(model, weights)

    def save(self, folder: Path) -> None:
        """Writes one folder per trained model: a peft adapter, or a whole checkpoint."""
        for model in self.trained():
            self._engines[model].save(model, folder / model)

    def load(self, folder: Path | str) -> None:
        """Reads what `save` wrote, or the `models` folder of a run.

        Raises:
            InputError: the folder has no weights for one of the models, or they do not fit.
        """
        for model, saved in _saved_models(self.program, folder).items():
            self._engines[model].load(model, saved)


def occurrences_of(program: Program, rows: Sequence[Mapping[str, Any]]) -> list[int]:
    """How many earlier rows have the same inputs as each row."""
    names = input_names(program)
    seen = Counter[tuple[str, ...]]()
    out = []
    for row in rows:
        key = tuple(str(row.get(name)) for name in names)
        out.append(seen[key])
        seen[key] += 1
    return out


def default_device() -> torch.device:
    """An accelerator if there is one, else the CPU."""
    found = torch.accelerator.current_accelerator(check_available=True)
    return found if found is not None else torch.device("cpu")


def _generations(program: Program) -> list[tuple[Variable, ...]]:
    """The variables that are no inputs, in layers: a layer needs values of earlier layers only."""
    depth: dict[str, int] = {}
    for variable in program.variables:  # topological order
        depth[variable.name] = max((depth[p] + 1 for p in variable.parents), default=0)
    layers: dict[int, list[Variable]] = defaultdict(list)
    for variable in program.variables:
        if variable.kind != "input":
            layers[depth[variable.name]].append(variable)
    return [tuple(layers[d]) for d in sorted(layers)]


def _saved_models(program: Program, folder: Path | str) -> dict[str, Path]:
    """The folders of a program's models in a run, or in the `models` folder of one."""
    root = Path(folder)
    root = root / "models" if (root / "models").is_dir() else root
    trainable = [name for name, spec in program.models.items() if spec.train != "frozen"]
    found = {name: root / name for name in trainable if (root / name).is_dir()}
    if not found:
        raise InputError(
            f"{folder} holds no trained models of this system (a folder for one of "
            f"{', '.join(trainable) or 'none: every model is frozen'}, or `models` with them)"
        )
    return found
