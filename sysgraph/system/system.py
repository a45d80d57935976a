"""A compiled system: sample traces, score traces."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from sysgraph_compiler import Program, Variable

from ..engines import Draw, Listener, Refused, Request
from ..engines.requests import requests
from ..engines.sharding import Sharding
from ..support.device import on_device
from ..support.errors import DataError, InputError, RunError, ServiceError
from ..support.seeding import derive
from ..support.servers import Servers
from ..tools import bind
from ..traces.course import Course, call_ahead, call_tools, complete, context
from ..traces.messages import messages_text
from ..traces.pictures import Picture
from ..traces.scope import Unobserved
from ..traces.trace import Given, Trace, input_names, is_broken
from .binding import Elsewhere
from .models import Models

_INPUTS = 64
"""Most inputs at once: enough to fill a language model's batch, few enough to show progress."""
_WAVES = 4
"""Inputs at once for each request under way: the last ones, which others wait for, are few."""
_CALLS = 4
"""Most calls of a model for the inputs at once, where a call has room for few of its values."""


class Watching(Protocol):
    """Who looks on while rows are sampled."""

    def between(self, courses: Sequence[Course]) -> None:
        """Is shown the rows before each generation of variables.

        One that it gives `stopped` goes no further.
        """
        ...

    def listener(self, row: int, variable: str) -> Listener:
        """Who listens while a variable's text is written."""
        ...


class System(Models):
    """A program and its models, loaded once and shared by everything that runs it.

    Args:
        program: what `sysgraph.compile` gave.
        device: where the models live; default: an accelerator if there is one.
        seed: initial adapters depend on it; default: the program's `fit.seed`.
        model_dir: a run whose trained models to use, as `load` does.
        elsewhere: engines that draw from models (`sampled`) or search them (`searched`) in place of
            those that score them, as {role: {model: engine}}. They `receive` weights that changed.
        tools: your own tools by name: functions, or what `sysgraph.Tool` says.
        endpoints: addresses of hosted models, by model; under "", for those without one of their
            own; default: what the environment says.
        servers: where those are that a model's `sampler` names.
        sharding: how models are divided over the processes of a run, where `fit.shard` or a model's
            own `shard` wants it; None: not at all.

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
        elsewhere: Elsewhere | None = None,
        tools: Mapping[str, Any] | None = None,
        endpoints: Mapping[str, str] | None = None,
        servers: Servers | None = None,
        sharding: Sharding | None = None,
    ) -> None:
        bind(program, tools)
        super().__init__(
            program,
            device=device,
            seed=seed,
            model_dir=model_dir,
            elsewhere=elsewhere,
            endpoints=endpoints,
            servers=servers,
            sharding=sharding,
        )

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
        call_ahead(self.program, traces)
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

    def _by_term(
        self, where: list[tuple[str, int]], values: Tensor, count: int
    ) -> dict[str, Tensor]:
        rows = {term.variable: i for i, term in enumerate(self.program.terms)}
        flat = torch.zeros(len(rows) * count, device=self.device)
        if where:
            index = on_device([rows[v] * count + i for v, i in where], self.device)
            flat = flat.index_copy(0, index, values)
        return dict(zip(rows, flat.view(len(rows), count), strict=True))

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
        is drawn beside it or on `batch_size` (rows per call of a model; default: by memory), but
        for rounding: what is computed beside a row moves its logits by some 1e-5 in float32, which
        draws another token once in some ten thousand, in half precision more often. What a model's
        server draws (`sampler`) also depends on the samples of the same prompt before it.

        Args:
            occurrences: how many rows equal to each come before it, where `inputs` are a part of
                more rows (see `occurrences_of`); equal rows are told apart by it.

        Raises:
            InputError: an input is missing or no text, or a prompt does not fit its model.
            RunError: a tool failed, and its node has no `on_failure`.
        """
        rows = [inputs] if isinstance(inputs, Mapping) else list(inputs)
        if occurrences is None:
            occurrences = occurrences_of(self.program, rows)
        seeds = [seed] * len(rows)
        traces = self._sampled(rows, n, seeds, batch_size, occurrences, strict=True)
        for trace in traces:
            if trace.stopped is not None:
                raise InputError(trace.stopped)
        return traces

    def sample_each(
        self,
        inputs: Sequence[Mapping[str, Any]],
        seeds: Sequence[int],
        occurrences: Sequence[int],
        *,
        watch: Watching | None = None,
    ) -> list[Trace]:
        """One trace per input, each by a seed of its own, as `stream` draws it with that seed.

        Args:
            seeds: one an input.
            occurrences: number k gives an input what `sample(input, n)` gives as its k-th.
        """
        return self._sampled(inputs, 1, seeds, None, occurrences, watch=watch)

    def _sampled(
        self,
        rows: Sequence[Mapping[str, Any]],
        n: int,
        seeds: Sequence[int],
        batch_size: int | None,
        occurrences: Sequence[int],
        *,
        strict: bool = False,
        watch: Watching | None = None,
    ) -> list[Trace]:
        traces, keys = [], []
        for row, seed, before in zip(rows, seeds, occurrences, strict=True):
            trace = self.start(row)
            text = repr(sorted(trace.inputs.items()))
            traces += [trace] * n
            keys += [derive(seed, text, before * n + k) for k in range(n)]
        courses = [Course(self.program, trace.inputs) for trace in traces]
        for generation in self.program.layers:
            if watch is not None:
                watch.between(courses)
            self._advance(generation, courses, keys, batch_size, strict=strict, watch=watch)
        return [course.trace(trace) for course, trace in zip(courses, traces, strict=True)]

    def inputs_at_once(self, n: int) -> int:
        """Inputs that `stream` draws `n` traces each of before it gives them."""
        values = Counter(term.model for term in self.program.terms if term.model is not None)
        rooms = {model: self.room(model) for model in values}
        fitting = [_CALLS * room // (n * values[m]) for m, room in rooms.items() if room]
        return max(1, min([max(_INPUTS, _WAVES * self._requests), *fitting]))

    def stream(
        self,
        inputs: Sequence[Mapping[str, Any]],
        n: int = 1,
        seed: int = 0,
        *,
        start: int = 0,
        occurrences: Sequence[int] | None = None,
    ) -> Iterator[list[Trace]]:
        """`sample`, a few inputs at a time, so that progress shows and little is lost.

        A trace with a prompt that its model cannot take, or with a tool that failed without
        `on_failure`, has `stopped`: it keeps no other from going on.

        Args:
            start: inputs to leave out at the front; it changes no other trace.
        """
        if occurrences is None:
            occurrences = occurrences_of(self.program, inputs)
        size = self.inputs_at_once(n)
        for first in range(start, len(inputs), size):
            part = slice(first, first + size)
            rows = inputs[part]
            yield self._sampled(rows, n, [seed] * len(rows), None, occurrences[part])

    def _advance(
        self,
        generation: tuple[Variable, ...],
        courses: Sequence[Course],
        keys: Sequence[int],
        batch_size: int | None,
        *,
        strict: bool,
        watch: Watching | None,
    ) -> None:
        """Fills in the variables of one generation, whose parents are all settled.

        Args:
            strict: whether what a tool raises is raised, and stops no row alone.
        """
        where: list[tuple[Course, str]] = []
        draws: list[Draw] = []
        refusals: dict[Draw, str | None] = {}
        heard: dict[int, list[Listener]] = defaultdict(list)  # equal rows hear alike
        call_tools(self.program, generation, courses)
        for row, (course, key) in enumerate(zip(courses, keys, strict=True)):
            for variable in generation:
                model = self.program.model_of(variable.name)
                if course.stopped is not None:
                    continue
                try:
                    if not course.settle(variable) or model is None:
                        continue
                except RunError as error:  # a tool: it stops this row alone
                    if strict:
                        raise
                    course.stopped = str(error)
                    continue
                try:
                    prompt = context(variable, course)
                    asked = Draw(model, prompt, 0, variable.options, variable.decoding)
                except InputError as error:  # its template, on these values
                    course.stopped = str(error)
                    continue
                if asked not in refusals:
                    refusals[asked] = self.refusal(asked)
                if refusals[asked] is not None:
                    course.stopped = f"{variable.name}: {refusals[asked]}"
                    continue
                where.append((course, variable.name))
                draws.append(replace(asked, seed=derive(key, variable.name)))
                if watch is not None:
                    heard[draws[-1].seed].append(watch.listener(row, variable.name))
        try:
            drawn = self.attempt(draws, batch_size=batch_size, heard=heard)
        except ServiceError:
            raise
        except RunError as error:
            raise self._blamed(where, draws, error) from error
        for (course, name), value in zip(where, drawn, strict=True):
            if isinstance(value, Refused):
                course.stopped = f"{name}: {value.why}"
            else:
                course.values[name] = value

    def _blamed(
        self, where: Sequence[tuple[Course, str]], draws: Sequence[Draw], error: RunError
    ) -> RunError:
        """The error with the variable and the inputs of the first draw that fails alone."""
        for (course, name), draw in zip(where, draws, strict=True):
            try:
                self.draw([draw])
            except RunError as found:
                inputs = ", ".join(f"{key}={text!r:.60}" for key, text in course.inputs.items())
                return RunError(f"{name}: {found}; the inputs were {inputs}")
        return error

    def _read(self, row: Mapping[str, Any]) -> dict[str, Given]:
        """The inputs that are messages or images, as traces hold them."""
        readers: dict[str, Callable[[Any], Given]] = {
            "messages": messages_text,
            "image": Picture.of,
        }
        found = {}
        for variable in self.program.variables:
            given = row.get(variable.name) if variable.is_given else None
            if variable.type in readers and given is not None:
                try:
                    found[variable.name] = readers[variable.type](given)
                except (ValueError, DataError) as error:
                    why = error.problems[0] if isinstance(error, DataError) else error
                    raise InputError(f"input {variable.name!r}: {why}") from error
        return found

    def start(self, row: Mapping[str, Any]) -> Trace:
        """The trace of a row's inputs, of which nothing is drawn yet.

        Raises:
            InputError: one is missing, or no text where it is to be one.
        """
        place = getattr(row, "place", "")
        names = input_names(self.program)
        row = {**row, **self._read(row)}
        for name in names:
            if is_broken(str(row.get(name))):
                raise InputError(f"input {name!r}: {row[name]!r:.60} holds half of a character")
            if not isinstance(row.get(name), str | Picture):
                raise InputError(
                    f"input {name!r} is {'missing' if name not in row else 'no text'}: the system "
                    f"takes {', '.join(names)}"
                )
        extra = {key: value for key, value in row.items() if key not in names}
        inputs = {name: row[name] for name in names}
        return Trace(inputs, {}, self.program.outputs, extra=extra, place=place)


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
