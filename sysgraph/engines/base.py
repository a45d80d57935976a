"""What engines do, as small contracts: score, train, sample and search, each over flat lists.

An engine holds all models of one kind and fulfils some of them. Everything that makes
it fast (equal requests once, sorting by length) happens behind these methods and never shows in an
objective.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from torch import Tensor, nn

from ..support.progress import Reporter
from ..traces.pictures import Picture
from ..traces.prompt import Context
from ..traces.trace import Completion
from .asked import Draw, Listener, Refused, Request, Search
from .passes import Pass
from .sharding import Sharding
from .work import Work


@runtime_checkable
class Scored(Protocol):
    """An engine that gives values their log-likelihood, under the policy and the reference."""

    def problem(self, request: Request) -> str | None:
        """Why `request` cannot be scored, or None. Cheap: no model runs."""
        ...

    def warning(self, request: Request) -> str | None:
        """What is odd about a `request` that can be scored, or None. Cheap: no model runs."""
        ...

    def length(self, request: Request) -> int:
        """Number of tokens of the value that are scored, its end-of-sequence token included."""
        ...

    def passes(
        self, requests: Sequence[Request], *, reference: bool, gradients: bool = False
    ) -> list[Pass]:
        """What gives log p(value | context), nats, summed over tokens, of each request.

        Args:
            requests: of one call: they are scored under the same weights, as the compiler says
                (`sysgraph_compiler.planning.calls`), even where they name several models.
            gradients: cut the work into passes whose graphs fit into memory.
        """
        ...

    def digest(self, model: str) -> str:
        """Tells what `model` was before training from any other weights; read once, then kept."""
        ...


@runtime_checkable
class Fingerprinted(Protocol):
    """An engine that scores, and whose values under the untouched weights can be kept on disk."""

    def fingerprint(self, request: Request) -> str | None:
        """Tells everything that log p_ref of `request` depends on, its last bits but for rounding.

        So two requests with one fingerprint have equal values wherever they are scored alike: the
        same weights before training, settings, tokens or pixels, and noise. None: the request's
        value is not to be kept. Cheap: no model runs.
        """
        ...


@runtime_checkable
class Counting(Protocol):
    """An engine that counts the tokens that its models compute on."""

    def work(self) -> Work:
        """All so far, in this process."""
        ...


@dataclass(frozen=True, slots=True)
class Base:
    """A checkpoint that is in memory once.

    Args:
        id: where it is loaded from.
        models: the models on it.
        parameters: numbers that it has.
        size: bytes that they take.
        dtype: of most of them.
        device: where it lives.
    """

    id: str
    models: tuple[str, ...]
    parameters: int
    size: int
    dtype: str
    device: str


@dataclass(frozen=True, slots=True)
class Whole:
    """Of a model that is divided over processes.

    Args:
        divided: bytes of what is, with all adapters on it, before it is.
        running: bytes that are put together at a time while a pass runs.
    """

    divided: int
    running: int


@runtime_checkable
class Foreseen(Protocol):
    """An engine whose models can be loaded as shapes alone, to find out what they would take.

    See `checkpoints.shapes`. Everything that it `Scored`s and has `Trained` then runs on shapes.
    """

    def bases(self) -> Sequence[Base]:
        """The checkpoints in memory."""
        ...

    def whole(self, model: str) -> Whole:
        """What of a model would be divided over processes, and what of that a pass has whole."""
        ...


@runtime_checkable
class Rehearsed(Protocol):
    """An engine of which it can be found out on shapes what drawing takes; see `Foreseen`."""

    def made_up(self, draw: Draw) -> Completion | Picture:
        """A value as large as the model's get; others for other seeds. No model runs."""
        ...

    def rehearse(self, draws: Sequence[Draw], *, copies: int = 1) -> int:
        """Runs what drawing these holds at its most, values being as large as they get.

        Args:
            draws: of one model under one decoding, at least one.
            copies: texts that are written side by side for each, as by a search.

        Returns:
            How many of `draws` are drawn at once.
        """
        ...


@runtime_checkable
class Divisible(Protocol):
    """An engine whose models can be divided over the processes of a run."""

    def divide(self, sharding: Sharding) -> None:
        """Divides them all, once they are loaded and before anything is asked of them.

        Raises:
            InputError: a model cannot be.
        """
        ...

    def gathered(self, model: str, *, here: bool) -> AbstractContextManager[None]:
        """What is trained of a model is whole until the block ends, for `save`; see `gathering`.

        All processes enter it at once, where the model is divided; else nothing happens.

        Args:
            here: whether in this process.
        """
        ...


@runtime_checkable
class Trained(Protocol):
    """An engine that holds what is trained; the one that scores these models."""

    def parameters(self, model: str) -> dict[str, nn.Parameter]:
        """The trainable parameters of `model` by a stable name; empty for a frozen one."""
        ...

    def set_reference(self, model: str, weights: dict[str, Tensor] | None) -> None:
        """Makes `weights` (as named by `parameters`) the reference; None: as before training."""
        ...

    def save(self, model: str, folder: Path) -> None:
        """Writes the trained part of `model` to `folder`, as its library's own loader reads it."""
        ...

    def load(self, model: str, folder: Path) -> None:
        """Reads what `save` wrote."""
        ...


@runtime_checkable
class Sampled(Protocol):
    """An engine whose models' outputs can be drawn."""

    def sample(
        self, draws: Sequence[Draw], *, batch_size: int | None = None
    ) -> Sequence[Completion | Picture | Refused]:
        """One text or image per draw; the same to rounding whatever the batch size.

        Raises:
            ServiceError: a server that draws fails, whatever it is asked.
        """
        ...

    def refusal(self, draw: Draw) -> str | None:
        """Why nothing can be drawn for this context, or None. Cheap: no model runs."""
        ...

    def room(self, model: str) -> int | None:
        """Values of `model` that are drawn at once; None: that depends on the values."""
        ...


@runtime_checkable
class Searched(Protocol):
    """An engine whose models write texts token by token, which beam search can find."""

    def search(self, searches: Sequence[Search]) -> list[list[Completion]]:
        """Each search's k texts or fewer, all distinct, whatever searches are beside it.

        Best first; with as many groups as texts wanted, the best of each group, in their order.
        Fewer than k where groups agree on a text or the model has no more texts.
        """
        ...


@runtime_checkable
class Prompted(Protocol):
    """An engine whose models read messages, as their chat templates write them."""

    def oddities(self, model: str, roles: Sequence[str]) -> Sequence[str]:
        """What the template of `model` does to messages of these roles, if their author must know.

        For people, one sentence each. Cheap: no model runs.

        Raises:
            InputError: it does not take them.
        """
        ...

    def shown(self, model: str, context: Context) -> str:
        """The text of the very tokens that `model` is sent, special ones included. Cheap."""
        ...


@runtime_checkable
class Editing(Protocol):
    """An engine whose models draw, of whose checkpoints some make an image of a picture."""

    def unfit(self, model: str, pictures: int) -> str | None:
        """Why a prompt with so many pictures is none for `model`, or None. Cheap."""
        ...


@runtime_checkable
class Tokenwise(Protocol):
    """An engine whose models read and write texts token by token."""

    def prompt_length(self, model: str, context: Context) -> int:
        """Number of tokens that `model` is sent for a context. Cheap: no model runs."""
        ...

    def is_cut(self, request: Request) -> bool:
        """Whether the length limit ended the text, as it was sampled; of one without ids, no."""
        ...


@runtime_checkable
class Telling(Protocol):
    """An engine that can tell what it draws while it draws it, and leave it."""

    def telling(self, heard: Mapping[int, Listener]) -> AbstractContextManager[None]:
        """While entered, `sample` minds who listens, by the draws' seeds."""
        ...


@runtime_checkable
class Asking(Protocol):
    """An engine that asks servers elsewhere."""

    def report_to(self, reporter: Reporter) -> None:
        """Has what servers do told there from now on."""
        ...

    def ask_at_once(self, requests: int) -> None:
        """Has so many requests under way at a time from now on."""
        ...

    def require(self) -> None:
        """Refuses to go on where a model can not be asked. Nothing is sent.

        Raises:
            InputError: no address is known for it, or a package is missing.
        """
        ...


@runtime_checkable
class Hosted(Asking, Protocol):
    """An engine whose models run on servers elsewhere."""

    def connect(self, endpoints: Mapping[str, str]) -> None:
        """Takes the servers' addresses, by model; under "", that of those without one of their own.

        Raises:
            InputError: one is no address.
        """
        ...


@runtime_checkable
class Receiving(Protocol):
    """An engine that draws or searches with weights that another engine trains."""

    def receive(self, model: str, trained: Trained) -> None:
        """Takes over the weights that `model` has now, as `trained` holds or `save`s them.

        Called before it is asked, whenever they may have changed.
        """
        ...


@runtime_checkable
class Exported(Protocol):
    """An engine whose trained models can stand in a graph of their own, trained no further."""

    def export(self, model: str, adapter: Path, whole: Path, *, merge: bool) -> Mapping[str, Any]:
        """Writes what a trained model's base does not have.

        Args:
            adapter: the folder for what goes on its base.
            whole: the folder for a model that needs no base.
            merge: what would go on the base is merged into a copy of it.

        Returns:
            What changes in its section of the graph; a folder that was written as its path.
        """
        ...
