"""One model at its server: under which name and weights, and what was drawn under those."""

import hashlib
from pathlib import Path

from ...support.errors import InputError
from ...support.progress import Reporter
from ...toys.cache import cache_root
from ..endpoint.cache import Replies
from ..ordering import Order
from .lots import Lot
from .protocol import Drawn, completions, texts
from .site import Site

Texts = list[list[int]]


class Remote:
    """A model at its server.

    What came is kept on disk until the model has other weights: a command that was stopped goes on
    with it.

    Args:
        name: in the graph.
        untouched: a digest of the model before training.

    Attributes:
        folder: that of its adapter at the server; None: it is the server's base.
        is_proven: whether what the server draws from was found to be this model.
    """

    def __init__(self, name: str, site: Site, untouched: str, reporter: Reporter) -> None:
        self.name, self.site = name, site
        self.folder: Path | None = None
        self.is_proven = False
        self._untouched, self._reporter = untouched, reporter
        self._adapter = ""
        self._known: dict[str, Texts] | None = None
        self._has(untouched)

    @property
    def model(self) -> str:
        """What the server calls it."""
        return self._adapter or self.site.base[0]

    def known(self) -> dict[str, Texts]:
        """What was drawn under these weights, by the key of its lot."""
        if self._known is None:
            self._known = self._replies.read()
        return self._known

    def send(self, adapter: str, folder: Path, weights: str) -> None:
        """Has the server take an adapter in place of the one that it has.

        Args:
            adapter: a name that no other has, or had.
            weights: their digest.

        Raises:
            InputError: the server cannot.
            ServiceError: it is away.
        """
        self.site.load(adapter, folder)
        before, self._adapter = self._adapter, adapter
        if before:
            self.site.unload(before)
        self.folder, self.is_proven = folder, False
        self._replies.file.unlink(missing_ok=True)  # the weights have moved on
        self._has(f"{self._untouched} {weights}")

    def again(self) -> None:
        """Has the server, which was started anew, take the adapter once more."""
        if self.folder is not None:
            self.site.load(self._adapter, self.folder)
        self.is_proven = False

    def leave(self) -> None:
        """Has the server forget the adapter."""
        if self._adapter:
            self.site.unload(self._adapter)

    def ask(self, order: Order, *, seed: int, n: int, log_probs: bool = False) -> list[Drawn]:
        """What the server draws.

        Raises:
            InputError: its reply is none.
            openai.APIStatusError: it refuses this very request.
            Forgotten, ServiceError: as `Site.complete`.
        """
        body = completions(self.model, order, seed=seed, n=n, salt=self._salt, log_probs=log_probs)
        try:
            return texts(self.site.complete(body), order, n)
        except ValueError as error:
            raise InputError(f"{self.site}: model {self.name!r}: {error}") from None

    def keep(self, lot: Lot, found: Texts) -> None:
        """Notes what was drawn, on disk too."""
        self.known()[lot.key()] = found
        self._replies.add(lot.key(), found)

    def _has(self, weights: str) -> None:
        whole = f"{self.name} {weights}".encode()
        self._salt = hashlib.blake2b(whole, digest_size=16).hexdigest()
        file = cache_root() / "servers" / f"{self._salt}.jsonl"
        self._replies: Replies[Texts] = Replies(file, "texts", _texts, self._reporter)
        self._known = None


def _texts(value: object) -> Texts | None:
    if not isinstance(value, list):
        return None
    fits = (isinstance(ids, list) and all(isinstance(i, int) for i in ids) for ids in value)
    return value if all(fits) else None
