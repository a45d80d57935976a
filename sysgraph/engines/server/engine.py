"""Draws from models at vLLM servers, under the weights that the trainer has now."""

import secrets
import shutil
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path

from sysgraph_schemas.models import Model

from ...support.addresses import SERVERS, address_of, require_known
from ...support.errors import InputError, ServiceError
from ...support.files import component
from ...support.progress import Reporter
from ...support.servers import Servers
from ...toys.cache import cache_root
from ...traces.trace import Completion
from ..asked import Draw, Refused
from ..base import Trained
from ..digest import digest_of
from ..endpoint.client import refuses, require_openai
from ..endpoint.parallel import in_parallel
from ..ordering import Order
from .lots import Lot, lots
from .proof import Scoring, prove
from .remote import Remote, Texts
from .site import Forgotten, Site

_WORKERS = 32
"""Requests under way at a time, where nobody says how many: a server runs them as one batch."""
_RESTARTS = 3
"""Times in one call that a server may have been started anew."""


class ServerEngine:
    """The models of a system that servers sample. For the methods see `engines.base`.

    Args:
        specs: of these models.
        own: the engine that scores each of them.
        servers: where they are.
    """

    def __init__(
        self, specs: Mapping[str, Model], own: Mapping[str, Scoring], servers: Servers
    ) -> None:
        self._specs, self._own, self._servers = dict(specs), dict(own), servers
        self._reporter = Reporter()
        self._workers = _WORKERS
        self._sites: dict[str, Site] = {}
        self._remotes: dict[str, Remote] = {}
        self._sent: dict[str, str] = {}
        self._versions = 0
        self._run = f"sysgraph-{secrets.token_hex(4)}"
        place = servers.adapters or cache_root() / "adapters"
        self._folder = place.absolute() / self._run
        weakref.finalize(self, _leave, self._remotes, self._folder)

    def report_to(self, reporter: Reporter) -> None:
        """Has what is found of servers told there, of those that are asked from now on."""
        self._reporter = reporter

    def ask_at_once(self, requests: int) -> None:
        """Has so many requests under way at a time from now on."""
        self._workers = requests

    def require(self) -> None:
        """Refuses to go on without openai, or where nobody says a server's address: all of them."""
        require_openai("models that servers sample", "endpoint")
        names = dict.fromkeys(str(spec.server) for spec in self._specs.values())
        require_known([*names], self._servers.urls, SERVERS)

    def refusal(self, draw: Draw) -> str | None:
        """As the model's own engine: it is its window that prompts must fit."""
        try:
            self._own[draw.model].order(draw)
        except InputError as error:
            return str(error)
        return None

    def room(self, model: str) -> None:
        """None: values are drawn elsewhere."""

    def receive(self, model: str, trained: Trained) -> None:
        """Has the server take the adapter, where it is not the one that it has.

        Raises:
            InputError: nothing can be written, or the server cannot take it.
            ServiceError: it is away.
        """
        self.require()
        weights = digest_of(trained.parameters(model))
        if self._sent.get(model) == weights:
            return
        folder = self._new_folder(model)
        trained.save(model, folder)
        self._send(model, folder, weights)

    def sample(
        self, draws: Sequence[Draw], *, batch_size: int | None = None
    ) -> list[Completion | Refused]:
        """One text per draw, its ids stored; draws of one prompt are one request."""
        del batch_size  # a server chooses its own
        if not draws:
            return []
        self.require()
        several = list(dict.fromkeys(draws))
        orders = [self._own[draw.model].order(draw) for draw in several]
        open, given = lots(several, orders), dict[Lot, Texts | Refused]()
        for left in reversed(range(_RESTARTS)):
            try:
                self._prepare(several)
                self._ask([lot for lot in open if lot not in given], given)
                break
            except Forgotten as error:
                if not left:
                    raise ServiceError(f"{error}, though it was sent all adapters") from None
                self._again(error)
        values = self._values(several, given)
        return [values[draw] for draw in draws]

    # ---- weights

    def _prepare(self, draws: Sequence[Draw]) -> None:
        """Sees to it that each model's server draws from it.

        Raises:
            InputError: it does not.
        """
        for model in dict.fromkeys(draw.model for draw in draws):
            remote, adapter = self._remote(model), self._specs[model].adapted
            if adapter is not None and remote.folder is None:
                folder = self._new_folder(model)
                shutil.copytree(Path(adapter).expanduser(), folder)
                self._send(model, folder, "its adapter")
            if not remote.is_proven:
                own = [draw for draw in draws if draw.model == model]
                self._reporter.line(prove(remote, own, self._own[model]))
                remote.is_proven = True

    def _send(self, model: str, folder: Path, weights: str) -> None:
        before = self._remote(model).folder
        self._remote(model).send(f"{self._run}-{folder.parent.name}", folder, weights)
        self._sent[model] = weights
        if before is not None:
            shutil.rmtree(before.parent, ignore_errors=True)

    def _again(self, error: Forgotten) -> None:
        """Has servers that were started anew take their adapters."""
        self._reporter.line(f"{error}: it is sent the adapters again")
        for site in self._sites.values():
            site.forget()
        for remote in self._remotes.values():
            remote.again()

    def _new_folder(self, model: str) -> Path:
        """Where an adapter is to be written: a path that no server has read from."""
        self._versions += 1
        place = self._folder / f"{component(model)}-{self._versions}"
        try:
            place.mkdir(parents=True)
        except OSError as error:
            raise InputError(f"cannot write {self._folder}: {error.strerror}") from None
        return place / "adapter"  # peft writes a card beside it

    # ---- asking

    def _ask(self, open: Sequence[Lot], given: dict[Lot, Texts | Refused]) -> None:
        """Asks for what is not known, and keeps what came as it comes.

        Raises:
            Forgotten: a server does not know an adapter.
            ServiceError: it is away.
        """
        todo = {}
        for lot in open:
            known = self._remote(lot.model).known().get(lot.key())
            if known is None:
                todo[lot] = lot
            else:
                given[lot] = known
        kept = 0
        try:
            for lot, found in in_parallel(self._answer, todo, self._workers):
                given[lot] = found
                if not isinstance(found, Refused):
                    self._remote(lot.model).keep(lot, found)
                    kept += 1
        except ServiceError as error:
            done = f"; {kept} of {len(todo)} requests were answered, and are kept" if kept else ""
            raise ServiceError(f"{error}{done}") from None

    def _answer(self, lot: Lot) -> Texts | Refused:
        import openai

        remote = self._remote(lot.model)
        try:
            drawn = remote.ask(lot.order, seed=lot.seed, n=lot.n)
        except openai.APIStatusError as error:
            said = f"{remote.site} refused it: {remote.site.said(error)}"
            if refuses(error):
                return Refused(said)
            raise ServiceError(said) from None
        return [list(one.ids) for one in drawn]

    def _values(
        self, draws: Sequence[Draw], given: Mapping[Lot, Texts | Refused]
    ) -> dict[Draw, Completion | Refused]:
        out: dict[Draw, Completion | Refused] = {}
        for lot, found in given.items():
            for place, index in enumerate(lot.draws):
                draw = draws[index]
                if isinstance(found, Refused):
                    out[draw] = found
                else:
                    out[draw] = self._value(draw, lot.order, found[min(place, lot.n - 1)])
        return out

    def _value(self, draw: Draw, order: Order, ids: Sequence[int]) -> Completion:
        """The value of a text.

        Raises:
            InputError: the server ended it where the model does not end.
        """
        value, ended = self._own[draw.model].finished(draw, ids)
        if not ended and len(ids) < order.room:
            raise InputError(
                f"{self._remote(draw.model).site} ended a text of model {draw.model!r} after "
                f"{len(ids)} of {order.room} tokens, where neither the model nor `stop` does: "
                "start it with --generation-config vllm, and the model's window as --max-model-len"
            )
        return value

    def _remote(self, model: str) -> Remote:
        """The model at its server."""
        if model not in self._remotes:
            name = str(self._specs[model].server)
            if name not in self._sites:
                address = address_of(name, self._servers.urls, SERVERS)
                assert address is not None, "require() comes first"
                self._sites[name] = Site(name, address, self._reporter)
            untouched = self._own[model].digest(model)
            self._remotes[model] = Remote(model, self._sites[name], untouched, self._reporter)
        return self._remotes[model]


def _leave(remotes: Mapping[str, Remote], folder: Path) -> None:
    """Nobody draws any more: servers forget the adapters, and their files go."""
    for remote in remotes.values():
        remote.leave()
    shutil.rmtree(folder, ignore_errors=True)
