"""The engine of `causal_lm` models."""

import contextlib
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache, partial
from typing import Literal, TypeVar

import torch
from torch import Tensor, nn

from sysgraph_schemas import CausalLM, Decoding
from sysgraph_schemas.models.writer import Writer

from ...support.device import on_device
from ...support.errors import InputError, RunError
from ...support.grouping import grouped, in_groups
from ...traces.prompt import Context
from ...traces.trace import Completion
from ..asked import Draw, Listener, Request, Search
from ..checkpoints.batching import TOKENS_PER_PASS, Ids, batches
from ..checkpoints.engine import ENCODED, CheckpointEngine, Part, Values
from ..checkpoints.prompt_check import changed_turns, prompt_oddities
from ..checkpoints.vocabulary import require_known
from ..checkpoints.weights import Weights
from ..ordering import Finished, Order
from ..picking import pick
from ..work import Work
from .aloud import Aloud
from .beam import beam_search
from .beam_settings import BeamSettings
from .decoder import NotFinite, Way
from .detokenizer import decode
from .few_rows import few_rows
from .generation import generate, rehearse
from .head import Finish
from .packing import pack, packs
from .probe import Habits
from .resident import CausalLMResident
from .scoring import score, score_packed
from .seen import shape_of
from .stopping import StopStrings
from .tokens import Encoded

# Tokens in flight (prompt and completion, padded) in one call of `generate` or `beam_search`.
_TOKENS_PER_GENERATE = 32_768
_WORD = " word"
_PROBE = 16
"""Tokens of a prompt and of a completion on which the memory of a graph is measured."""


W = TypeVar("W", bound=Writer)
R = TypeVar("R", bound=CausalLMResident)


class WriterEngine(CheckpointEngine[W, R]):
    """All models of a kind that write texts from left to right; see `engines.base`."""

    def __init__(
        self,
        models: Mapping[str, W],
        resident: Callable[[W, torch.device], R],
        *,
        device: torch.device,
        seed: int,
    ) -> None:
        super().__init__(models, resident, device=device, seed=seed)
        self._encoded = lru_cache(maxsize=ENCODED)(self._encode)
        self._known = lru_cache(maxsize=ENCODED)(self._encode_prompt)
        self._heard: Mapping[int, Listener] = {}
        self._require_recomputing()

    def problem(self, request: Request) -> str | None:
        """Why `request` cannot be scored (nothing to start from, beyond the window), or None."""
        try:
            row = self._encoded(request)
        except InputError as error:
            return str(error)
        window = self._weights[request.model].resident.window()
        size = len(row.ids)
        if window is not None and size > window:
            return (
                f"{size} tokens ({len(row.prompt)} of prompt, {len(row.completion)} of "
                f"completion), but model {request.model!r} has a window of {window}"
            )
        return None

    def warning(self, request: Request) -> str | None:
        """What the chat template changes in the request's messages, or None."""
        if isinstance(request.context, str):
            return None
        return changed_turns(self._weights[request.model].resident.tokenizer, request.context)

    def oddities(self, model: str, roles: Sequence[str]) -> tuple[str, ...]:
        """What the model's chat template does to messages of these roles; see `Prompted`."""
        tokenizer = self._weights[model].resident.tokenizer
        return tuple(prompt_oddities(tokenizer, roles, answers=True))

    def shown(self, model: str, context: Context) -> str:
        """The text of the prompt's tokens; see `Prompted`."""
        return str(self._weights[model].resident.tokenizer.decode(self._known(model, context)))

    def prompt_length(self, model: str, context: Context) -> int:
        """Number of the prompt's tokens; see `Tokenwise`."""
        return len(self._known(model, context))

    def is_cut(self, request: Request) -> bool:
        """Whether neither an end-of-sequence token nor a stop string ends it; see `Tokenwise`."""
        resident, ids = self._weights[request.model].resident, request.completion.ids
        if not ids or ids[-1] in resident.ends:
            return False
        stop = self._specs[request.model].stop if request.stop is None else request.stop
        stops = StopStrings(resident.tokenizer, stop or ())
        return stops.text(ids) == decode(resident.tokenizer, ids)

    def length(self, request: Request) -> int:
        """Number of completion tokens, the end-of-sequence token included."""
        return len(self._encoded(request).completion)

    def _parts(
        self, weights: Weights[R], requests: Sequence[Request], gradients: bool
    ) -> Iterator[Part]:
        """Log p, summed over completion tokens; what rows begin with alike is run once."""
        # Models that share weights but not tokenizers do not exist: one resident has one tokenizer,
        # so rows with equal ids are equal requests, whichever model they name.
        where: dict[Encoded, list[int]] = defaultdict(list)
        for index, request in enumerate(requests):
            where[self._encoded(request)].append(index)
        budget = TOKENS_PER_PASS
        if gradients:
            model = requests[0].model
            budget = min(budget, int(len(self._probe_row(model).ids) * self._fitting(model)))
        for rows, tokens, values in _scorings(weights.resident, list(where), budget):
            copies = [where[row] for row in rows]
            yield Part(
                [index for several in copies for index in several],
                partial(_repeated, values, [len(c) for c in copies]),
                tokens / max(budget, 1),
                _work(rows, tokens),
            )

    def _content(self, request: Request) -> Hashable:
        """The ids."""
        row = self._encoded(request)
        return row.prompt, row.completion

    def _probe(self, model: str) -> Values:
        row = self._probe_row(model)
        [(_, _, values)] = _scorings(self._weights[model].resident, [row], len(row.ids))
        return values

    def _probe_row(self, model: str) -> Encoded:
        """A row like many, on which the memory of a graph is measured."""
        del model
        return Encoded((0,) * _PROBE, (0,) * _PROBE)

    def sample(self, draws: Sequence[Draw], *, batch_size: int | None = None) -> list[Completion]:
        """One completion per draw, its ids stored; the same to rounding whatever the batch size."""
        return in_groups(
            draws,
            lambda draw: (draw.model, self._decoding(draw)),
            lambda several: self._sample(several, batch_size),
        )

    @contextlib.contextmanager
    def telling(self, heard: Mapping[int, Listener]) -> Iterator[None]:
        """Tells texts token by token, and leaves them; see `Telling`."""
        self._heard = heard
        try:
            yield
        finally:
            self._heard = {}

    def _sample(self, draws: Sequence[Draw], batch_size: int | None) -> list[Completion]:
        """Completions of draws of one model under one decoding."""
        model, decoding = draws[0].model, self._decoding(draws[0])
        weights = self._weights[model]
        module, resident = weights.module(reference=False), weights.resident
        prompts = [self._prompt(draw) for draw in draws]
        stops = StopStrings(resident.tokenizer, decoding.stop or ())
        out: dict[int, Completion] = {}
        room = self._room(draws[0])
        for batch, habits in _batches(resident, prompts, room, "samples", most=batch_size):
            way = habits.samples
            seeds = [draws[i].seed for i in batch]
            there = {k: self._heard[seed] for k, seed in enumerate(seeds) if seed in self._heard}
            with few_rows(module, room), self._explained(model, [prompts[i] for i in batch]):
                rows = generate(
                    module,
                    [prompts[i] for i in batch],
                    seeds,
                    room=room,
                    decoding=decoding,
                    ends=resident.ends,
                    stops=stops,
                    way=way,
                    moves=way == habits.searches,
                    told=Aloud(resident.tokenizer, stops, there) if there else None,
                )
            once = dict.fromkeys(prompts[i] for i in batch)
            self._done += Work(sum(map(len, once)) + sum(map(len, rows)))
            found = [Completion(stops.text(ids), ids) for ids in rows]
            out.update(zip(batch, found, strict=True))
        return [out[i] for i in range(len(draws))]

    def order(self, draw: Draw) -> Order:
        """What is drawn, but for the seed; see `Ordering`."""
        ends = self._weights[draw.model].resident.ends
        return Order(self._prompt(draw), self._room(draw), ends, self._decoding(draw))

    def finished(self, draw: Draw, ids: Sequence[int]) -> Finished:
        """The value that ids are; see `Ordering`."""
        resident = self._weights[draw.model].resident
        stops = StopStrings(resident.tokenizer, self._decoding(draw).stop or ())
        end = stops.end(ids, resident.ends)
        own = tuple(ids[:end])
        return Finished(Completion(stops.text(own), own), end is not None)

    def dtype(self, model: str) -> torch.dtype:
        """That of the base; see `Ordering`."""
        return self._weights[model].resident.base.dtype

    def made_up(self, draw: Draw) -> Completion:
        """A text that its length limit cut: one word over and over, after a number in tokens."""
        resident = self._weights[draw.model].resident
        tokenizer, known = resident.tokenizer, resident.vocabulary
        words = tokenizer(_WORD, add_special_tokens=False)["input_ids"]
        word = words[-1] if words and words[-1] < known else known // 2
        first = known // 8
        digits = [first + (draw.seed >> shift) % 256 % (known - first) for shift in (0, 8, 16)]
        room = self._room(draw)
        ids = (*digits, *[word] * room)[:room]
        return Completion(decode(tokenizer, ids), ids)

    def rehearse(self, draws: Sequence[Draw], *, copies: int = 1) -> int:
        """Runs the largest batch of these on shapes; see `Rehearsed`."""
        model, decoding, room = draws[0].model, self._decoding(draws[0]), self._room(draws[0])
        weights = self._weights[model]
        prompts = [self._prompt(draw) for draw in draws]
        several = list(_batches(weights.resident, prompts, room, "samples", copies=copies))
        batch, habits = max(several, key=lambda one: sum(len(prompts[i]) + room for i in one[0]))
        module = weights.module(reference=False)
        with few_rows(module, 0 if copies > 1 else room):  # a search lays none out
            rehearse(
                module,
                [prompts[i] for i in batch for _ in range(copies)],
                room=room,
                decoding=decoding,
                way=habits.samples,
                moves=habits.samples == habits.searches,
            )
        return len(batch)

    def refusal(self, draw: Draw) -> str | None:
        """Why nothing can be drawn (no token to start from, beyond the window), or None."""
        try:
            self._prompt(draw)
        except InputError as error:
            return str(error)
        return None

    def room(self, model: str) -> None:
        """None: prompts differ in length, and what fits is a number of tokens."""

    def search(self, searches: Sequence[Search]) -> list[list[Completion]]:
        """Each search's k distinct texts or fewer, their ids stored; see `Searched` for which.

        Searches under the policy itself: temperature and top_p play no part. See
        `beam_search` for scores and penalties.

        Raises:
            InputError: a prompt and max_new_tokens do not fit the window.
            RunError: the model gives logits that are not finite.
        """
        return in_groups(
            searches,
            lambda search: replace(search, context="", k=1, decoding=self._decoding(search)),
            self._search,
        )

    def _search(self, searches: Sequence[Search]) -> list[list[Completion]]:
        """The texts of searches that differ in context and k alone; equal prompts are run once."""
        asked = searches[0]
        tokenizer = self._weights[asked.model].resident.tokenizer
        stops = StopStrings(tokenizer, self._decoding(asked).stop or ())
        prompts = [self._prompt(search) for search in searches]
        found = dict(self._found(asked, stops, list(dict.fromkeys(prompts))))
        picked = [pick(found[p], s.k) for p, s in zip(prompts, searches, strict=True)]
        return [[Completion(stops.text(ids), ids) for ids in texts] for texts in picked]

    def _found(
        self, asked: Search, stops: StopStrings, prompts: Sequence[Ids]
    ) -> Iterator[tuple[Ids, list[list[tuple[Ids, float]]]]]:
        """Each prompt's texts as ids and scores, by group, best first."""
        resident = self._weights[asked.model].resident
        module = self._weights[asked.model].module(reference=False)
        settings = BeamSettings(
            beams=asked.beams,
            groups=asked.groups,
            diversity_penalty=asked.diversity_penalty,
            max_new_tokens=self._room(asked),
            pad=resident.pad,
            ends=resident.ends,
            stops=stops,
        )
        room = settings.max_new_tokens
        for batch, habits in _batches(resident, prompts, room, "searches", copies=asked.beams):
            together = [prompts[i] for i in batch]
            with self._explained(asked.model, together):
                results = beam_search(module, together, settings, habits.searches)
            for i, found in zip(batch, results, strict=True):
                by_group = [
                    [(text.ids, text.score) for text in found if text.group == group]
                    for group in range(asked.groups)
                ]
                yield prompts[i], by_group

    @contextlib.contextmanager
    def _explained(self, model: str, prompts: Sequence[Ids]) -> Iterator[None]:
        """Names the model and the prompt for whose text it gives no distribution."""
        try:
            yield
        except NotFinite as error:
            prompt = decode(self._weights[model].resident.tokenizer, prompts[error.row])
            raise RunError(f"model {model!r}: {error}; the prompt is {prompt!r:.200}") from error

    def _encode(self, request: Request) -> Encoded:
        resident = self._weights[request.model].resident
        tokenizer, known = resident.tokenizer, resident.vocabulary
        stop = self._specs[request.model].stop if request.stop is None else request.stop
        row = resident.encode(request.context, request.completion, stop or ())
        for ids, what in zip(row, row._fields, strict=True):
            require_known(tokenizer, ids, known, f"{what} for model {request.model!r}")
        return row

    def _decoding(self, asked: Draw | Search) -> Decoding:
        """How it is drawn: the model's settings where the node has none."""
        return asked.decoding.over(self._specs[asked.model].decoding)

    def _room(self, asked: Draw | Search) -> int:
        """Tokens of its completion at most."""
        own = asked.decoding.max_new_tokens
        return self._specs[asked.model].max_new_tokens if own is None else own

    def _encode_prompt(self, model: str, context: Context) -> Ids:
        """The prompt, of ids that the model knows."""
        resident = self._weights[model].resident
        prompt = resident.encode_prompt(context)
        what = f"prompt {context!r:.200} for model {model!r}"
        require_known(resident.tokenizer, prompt, resident.vocabulary, what)
        return prompt

    def _prompt(self, asked: Draw | Search) -> Ids:
        """The prompt, which leaves room for a completion."""
        prompt = self._known(asked.model, asked.context)
        window, room = self._weights[asked.model].resident.window(), self._room(asked)
        if window is not None and len(prompt) + room > window:
            raise InputError(
                f"a prompt of {len(prompt)} tokens and max_new_tokens {room} do not fit the window "
                f"of {window} of model {asked.model!r}: {asked.context!r:.200}"
            )
        return prompt


class CausalLMEngine(WriterEngine[CausalLM, CausalLMResident]):
    """All `causal_lm` models of a system."""

    def __init__(self, models: Mapping[str, CausalLM], *, device: torch.device, seed: int) -> None:
        super().__init__(models, CausalLMResident, device=device, seed=seed)


def _batches(
    resident: CausalLMResident,
    prompts: Sequence[Ids],
    room: int,
    doing: Literal["samples", "searches"],
    *,
    most: int | None = None,
    copies: int = 1,
) -> Iterator[tuple[list[int], Habits]]:
    """Indices of prompts by what a device can hold at once, and how such prompts may be run.

    Args:
        room: tokens that each prompt's completion may take.
        doing: beside prompts of one length alone, unless this is done padded.
        most: prompts of a batch.
        copies: completions of each prompt that are written side by side.
    """
    for where in grouped(prompts, shape_of):
        habits = resident.habits_of(prompts[where[0]])
        way: Way = getattr(habits, doing)
        sizes = [copies * (len(prompts[i]) + room) for i in where]
        for batch in batches(sizes, _TOKENS_PER_GENERATE, most=most, is_padded=way.padded):
            yield [where[i] for i in batch], habits


def _scorings(
    resident: CausalLMResident, rows: Sequence[Encoded], budget: int
) -> Iterator[tuple[list[Encoded], int, Values]]:
    """What gives log p of some of `rows`, which are different: packed, or side by side.

    Args:
        budget: tokens of a forward pass, padding included; a row alone may have more.

    Returns:
        By forward pass: its rows, its tokens, and the pass.
    """
    finish = resident.finish
    for where in grouped(rows, lambda row: shape_of(row.prompt)):
        several = [rows[i] for i in where]
        habits = resident.habits_of(several[0].prompt)
        short = [row for row in several if len(row.ids) <= habits.packs]
        for batch, tokens in packs(short, budget):
            some = [short[i] for i in batch]
            yield some, tokens, partial(_packed, some, finish)
        others = [row for row in several if len(row.ids) > habits.packs]
        sizes = [len(row.ids) for row in others]
        for batch in batches(sizes, budget, is_padded=habits.pads_right):
            some = [others[i] for i in batch]
            tokens = len(some) * max(sizes[i] for i in batch)
            yield some, tokens, partial(score, rows=some, finish=finish)


def _packed(rows: Sequence[Encoded], finish: Finish | None, module: nn.Module) -> Tensor:
    """Packs as it runs: whether graphs fit is asked of more passes than are run."""
    return score_packed(module, pack(rows), finish=finish)


def _work(rows: Sequence[Encoded], tokens: int) -> Work:
    """Of a pass of so many tokens: fewer than its rows have where they share, else with padding."""
    own = sum(len(row.ids) for row in rows)
    return Work(min(tokens, own), max(0, tokens - own))


def _repeated(values: Values, counts: Sequence[int], module: nn.Module) -> Tensor:
    """The value of each row, as often as it counts: [sum of counts]."""
    found = values(module)
    return found.repeat_interleave(on_device(counts, found.device), output_size=sum(counts))
