"""A compiled system with its models resident: sample traces, score traces."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from sysgraph_compiler import Program, Variable

from .engines import Draw, Engine, Request, engine_of
from .engines.seeding import derive
from .errors import InputError
from .forward import Unobserved, complete, context, read, requests
from .parsing import ParseFailure
from .trace import Trace, Value, input_names


class System:
    """The models of a program, loaded once and shared by everything that runs it.

    Args:
        program: what `sysgraph.compile` gave.
        device: where the models live; default: an accelerator if there is one.
        seed: initial adapters depend on it; default: the program's `fit.seed`.
        model_dir: a run whose trained models to use, as `load` does.

    Raises:
        InputError: a model cannot be loaded, or `model_dir` holds none of them.
    """

    def __init__(
        self,
        program: Program,
        *,
        device: torch.device | str | None = None,
        seed: int | None = None,
        model_dir: Path | str | None = None,
    ) -> None:
        if model_dir is not None:
            _saved_models(program, model_dir)  # a wrong folder is told before models are loaded
        self.program = program
        self.device = torch.device(device) if device else default_device()
        self._variables = {variable.name: variable for variable in program.variables}
        used = {term.model for term in program.terms}
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
        self._generations = _generations(program)
        if model_dir is not None:
            self.load(model_dir)

    # ---- scoring

    def log_prob(self, traces: Sequence[Trace], *, reference: bool = False) -> dict[str, Tensor]:
        """Each node's log p(value | parents): {node name: [len(traces)]}.

        Nats, summed over tokens, float32. Deterministic nodes, and what a rejected parse left
        nonexistent, give 0. Gradients reach the policy's trained parameters only.

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
        by_engine: dict[int, list[int]] = defaultdict(list)
        for index, request in enumerate(flat):
            by_engine[id(self._engines[request.model])].append(index)
        out = torch.zeros(len(flat), device=self.device)
        with torch.set_grad_enabled(torch.is_grad_enabled() and not reference):
            for indices in by_engine.values():
                engine = self._engines[flat[indices[0]].model]
                values = engine.log_prob([flat[i] for i in indices], reference=reference)
                out = out.index_copy(0, torch.tensor(indices, device=self.device), values)
        return out

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
        return self._engines[request.model].problem(request)

    def length(self, request: Request) -> int:
        """Number of tokens that `score` sums over."""
        return self._engines[request.model].length(request)

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
        values: list[dict[str, Value]] = [{} for _ in traces]
        gone: list[set[str]] = [set() for _ in traces]
        for generation in self._generations:
            self._advance(generation, traces, keys, values, gone, batch_size)
        return [
            Trace(t.inputs, v, t.outputs, frozenset(g), t.extra)
            for t, v, g in zip(traces, values, gone, strict=True)
        ]

    def _advance(
        self,
        generation: tuple[Variable, ...],
        traces: Sequence[Trace],
        keys: Sequence[int],
        values: list[dict[str, Value]],
        gone: list[set[str]],
        batch_size: int | None,
    ) -> None:
        """Fills in the variables of one generation, whose parents all have values."""
        draws: dict[int, list[tuple[int, str, Draw]]] = defaultdict(list)
        models = {term.variable: term.model for term in self.program.terms}
        for i, trace in enumerate(traces):
            seen = Trace(trace.inputs, values[i], trace.outputs)
            for variable in generation:
                model = models[variable.name]
                if gone[i].intersection(variable.parents):
                    gone[i].add(variable.name)
                elif model is None:
                    self._parse(variable, trace, values[i], gone[i])
                else:
                    draw = Draw(model, context(variable, seen), derive(keys[i], variable.name))
                    draws[id(self._engines[model])].append((i, variable.name, draw))
        for rows in draws.values():
            engine = self._engines[rows[0][2].model]
            completions = engine.sample([draw for _, _, draw in rows], batch_size=batch_size)
            for (i, name, _), completion in zip(rows, completions, strict=True):
                values[i][name] = completion

    def _parse(
        self, variable: Variable, trace: Trace, values: dict[str, Value], gone: set[str]
    ) -> None:
        try:
            value = read(self.program, variable, {**trace.inputs, **values})
        except ParseFailure:
            gone.add(variable.name)
        else:
            assert value is not None
            values[variable.name] = value

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
