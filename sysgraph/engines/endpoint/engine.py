"""Hosted models: sampled alone, many requests at a time, and nothing is asked twice."""

from collections.abc import Mapping, Sequence

import torch

from sysgraph_schemas import Endpoint

from ...support.addresses import address_of, require_known
from ...support.errors import ServiceError
from ...support.progress import Reporter
from ...traces.trace import Completion
from ..asked import Draw, Refused
from .client import Client, require_openai
from .parallel import in_parallel
from .served import Served, failed

_WORKERS = 8
"""Requests under way at a time, where nobody says how many."""
_HOPELESS = 20
"""Draws that a server gave nothing for, and none that it did: the others are not asked about."""


class EndpointEngine:
    """All `endpoint` models of a system. For the methods see `engines.base`."""

    def __init__(self, models: Mapping[str, Endpoint], *, device: torch.device, seed: int) -> None:
        del device, seed  # nothing runs here
        self._specs = dict(models)
        self._endpoints: Mapping[str, str] = {}
        self._served: dict[str, Served] = {}
        self._reporter = Reporter()
        self._workers = _WORKERS

    def connect(self, endpoints: Mapping[str, str]) -> None:
        """Takes the servers' addresses."""
        self._endpoints = dict(endpoints)

    def report_to(self, reporter: Reporter) -> None:
        """Has warnings told there, of models that are asked from now on."""
        self._reporter = reporter

    def ask_at_once(self, requests: int) -> None:
        """Has so many requests under way at a time from now on."""
        self._workers = requests

    def require(self) -> None:
        """Refuses to go on without openai, or where a model's address is not known: all of them."""
        require_openai("hosted models", "endpoint")
        require_known(list(self._specs), self._endpoints)

    def sample(
        self, draws: Sequence[Draw], *, batch_size: int | None = None
    ) -> list[Completion | Refused]:
        """One text per draw; equal draws are asked about once, here and on disk."""
        del batch_size  # no two rows share a call
        if draws:
            self.require()
        keys = [(draw.model, self._at(draw.model).key(draw)) for draw in draws]
        todo = {
            key: draw
            for key, draw in zip(keys, draws, strict=True)
            if key[1] not in self._at(key[0]).known
        }
        refused = self._ask(todo)
        return [
            refused[key] if key in refused else Completion(self._at(key[0]).known[key[1]])
            for key in keys
        ]

    def refusal(self, draw: Draw) -> None:
        """None: what a prompt is too long for, its server says."""

    def room(self, model: str) -> None:
        """None: values are drawn elsewhere."""

    def _ask(self, todo: Mapping[tuple[str, str], Draw]) -> dict[tuple[str, str], Refused]:
        """Asks, and keeps what was given as it comes; why, where nothing was.

        Raises:
            ServiceError: a server fails, or gave nothing at all.
        """
        refused: dict[tuple[str, str], Refused] = {}
        kept = 0
        try:
            for key, given in in_parallel(self._answer, todo, self._workers):
                served = self._at(key[0])
                if isinstance(given, str):
                    served.keep(key[1], given)
                    kept += 1
                    continue
                refused[key] = given
                several = [one for (model, _), one in refused.items() if model == key[0]]
                if len(several) >= _HOPELESS:
                    self._require_some(served, several)
        except _Failure as failure:
            done = f"{kept} of the {len(todo)} texts that were asked for came, and are kept"
            again = f"\n{done}; the same command asks for the others" if kept else ""
            raise ServiceError(f"{failure}{again}") from None
        for model in dict.fromkeys(model for model, _ in refused):
            several = [one for (other, _), one in refused.items() if other == model]
            self._require_some(self._at(model), several)
        return refused

    def _require_some(self, served: Served, refused: Sequence[Refused]) -> None:
        """Refuses to go on with a server that has never given a text.

        Raises:
            ServiceError: it has not.
        """
        if not served.has_answered and not served.known:
            raise ServiceError(
                f"model {served.name!r}: none of {len(refused)} requests got a text; the first: "
                f"{refused[0].why}"
            )

    def _answer(self, draw: Draw) -> str | Refused:
        import openai

        served = self._at(draw.model)
        try:
            return served.ask(draw)
        except openai.OpenAIError as error:
            raise _Failure(failed(served, error)) from None

    def _at(self, model: str) -> Served:
        """The model at its server."""
        if model not in self._served:
            address = address_of(model, self._endpoints)
            assert address is not None, "require() comes first"
            client = Client(address, needs="hosted models")
            self._served[model] = Served(model, self._specs[model], client, self._reporter)
        return self._served[model]


class _Failure(Exception):
    """A server fails, whatever it is asked; its text says which and how."""
