"""The models of a program, asked for values: drawn, searched, by engines here or elsewhere."""

from collections.abc import Hashable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext

import torch

from sysgraph_compiler import Program

from ..engines import Asking, Draw, Listener, Refused, Sampled, Search, Searched, Telling, choices
from ..engines.base import Divisible
from ..engines.changes import Changes
from ..support.errors import RunError
from ..support.grouping import in_groups
from ..traces.pictures import Picture
from ..traces.prompt import Context
from ..traces.trace import Completion
from .binding import Bindings
from .scoring import Scoring


class Drawing(Scoring):
    """What models give, each by the engine that draws from it or searches it.

    What is trained here and drawn elsewhere is passed on before. See `Scoring` for the arguments.
    """

    def __init__(
        self,
        program: Program,
        device: torch.device,
        engines: Mapping[str, object],
        bound: Bindings,
    ) -> None:
        super().__init__(program, device, engines, bound)
        self._requests = 0
        """Requests to hosted models under way at a time, where somebody said how many."""
        self._changes: dict[str, Changes] = {}

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

    def room(self, model: str) -> int | None:
        """Values that one call of a model draws at once; None: that depends on the values."""
        sampler = self._bound.sampled.get(model)
        return sampler.room(model) if sampler is not None else None

    # ---- engines elsewhere

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

    def trained(self) -> tuple[str, ...]:
        """Models that have something to train and whose terms are trained, in the graph's order."""
        trained = {term.model for term in self.program.terms if term.status == "trained"}
        return tuple(name for name in self.program.models if name in trained)

    def _gathered(self, model: str, *, here: bool) -> AbstractContextManager[None]:
        engine = self._bound.trained[model]
        return engine.gathered(model, here=here) if isinstance(engine, Divisible) else nullcontext()

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


def _together(several: Sequence[Listener]) -> Listener:
    """All who listen to equal draws, as one."""
    hears = [one.hear for one in several if one.hear is not None]

    def hear(text: str) -> None:
        for one in hears:
            one(text)

    return Listener(lambda: any(one.waits() for one in several), hear if hears else None)
