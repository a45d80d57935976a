"""The models of a program, asked how likely values are."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

import torch
from torch import Tensor

from sysgraph_compiler import Program
from sysgraph_compiler.planning import call_of

from ..engines import Counting, Draw, Fingerprinted, Pass, Request, Scored, Tokenwise, Work, choices
from ..engines.passes import total
from ..support.errors import InputError
from ..support.grouping import grouped
from ..traces.prompt import Context
from .binding import Bindings

E = TypeVar("E")


class Scoring:
    """What models say of requests, each by the engine that scores it.

    Args:
        engines: the engine of each model's kind.
        bound: that of each model in each role.
    """

    def __init__(
        self,
        program: Program,
        device: torch.device,
        engines: Mapping[str, object],
        bound: Bindings,
    ) -> None:
        self.program, self.device = program, device
        self._engines, self._bound = engines, bound
        self._moved: set[str] = set()
        """The models whose reference is a snapshot."""

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

    def work(self) -> Work:
        """The tokens that this process's models were run on so far: scored, trained, drawn.

        Differences of two such say what was run between. Kinds that do not count add nothing.
        """
        engines = {id(engine): engine for engine in self._engines.values()}
        counted = (one.work() for one in engines.values() if isinstance(one, Counting))
        return sum(counted, Work())

    def _scored(self, asked: Request | Draw) -> Scored:
        """The engine that scores its model."""
        return self._able(self._bound.scored, asked.model, "has no likelihood")

    def _score(self, flat: Sequence[Request], *, reference: bool) -> Tensor:
        with torch.set_grad_enabled(torch.is_grad_enabled() and not reference):
            return total(self.passes(flat, reference=reference), len(flat), self.device)

    @torch.no_grad()
    def _score_options(self, flat: Sequence[Request]) -> Tensor:
        for request in flat:
            problem = self._scored(request).problem(request)
            if problem is not None:
                raise InputError(problem)
        return self._score(flat, reference=False)

    def _able(self, engines: Mapping[str, E], model: str, why: str) -> E:
        """The model's engine, of those that can do what is asked."""
        if model in engines:
            return engines[model]
        raise InputError(f"{self.program.models[model].kind} model {model!r} {why}")
